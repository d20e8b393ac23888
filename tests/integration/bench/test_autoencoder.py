"""The plain auto-encoder: its shapes, its blur, and that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.autoencoder import LATENT, blurred, fit, network
from bench.child import Job
from bench.judge import Product
from tests.support import SIDE


@pytest.mark.parametrize("size", [64, 96, 256])
def test_an_image_goes_through_one_vector(size: int) -> None:
    model = network(size).eval()
    images = torch.rand(2, 3, size, size)
    with torch.inference_mode():
        assert model(images).shape == images.shape
        narrowest = min((part(images).numel() // 2 for part in _heads(model)), default=0)
    assert narrowest == LATENT


def _heads(model: torch.nn.Sequential) -> list[torch.nn.Sequential]:
    """The network cut after each of its layers."""
    return [model[: end + 1] for end in range(len(model))]


def test_the_blur_keeps_what_is_even_and_spreads_a_point() -> None:
    even = torch.full((1, 40, 40), 0.7)
    assert torch.allclose(blurred(even), even)
    point = torch.zeros(1, 41, 41)
    point[0, 20, 20] = 1
    spread = blurred(point)[0]
    assert spread.sum().item() == pytest.approx(1, abs=1e-4)
    assert spread.argmax().item() == 20 * 41 + 20
    assert spread[20, 16].item() == pytest.approx(spread[20, 20].item() * torch.e**-0.5, rel=1e-4)


def test_it_learns_to_reconstruct(bolt: Product, plant: Path) -> None:
    train = [str(plant / path) for path in bolt.train]
    model = fit(Job("", train, list(bolt.digests), [], SIDE, 0, "cpu", 1, {"steps": 30}))
    assert model.notes["last_loss"] < 0.5 * model.notes["first_loss"]
