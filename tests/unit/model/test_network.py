"""The patch-wise auto-encoder: a patch has nothing but its own vector."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from patchae.model.network import PatchAutoEncoder, reconstruction_loss


def _drawn(seed: int, features: int = 6, patch: int = 8) -> PatchAutoEncoder:
    network = PatchAutoEncoder(features, 8, patch)
    network.initialize(Generator().manual_seed(seed))
    return network


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([2, 4, 8]), st.integers(1, 9), st.data())
def test_one_feature_vector_changes_one_patch_alone(
    patch: int, count: int, data: st.DataObject
) -> None:
    network = _drawn(1, patch=patch)
    i = data.draw(st.integers(0, count - 1))
    features = torch.randn((count, 6), generator=Generator().manual_seed(2))
    other = features.clone()
    other[i] += 1
    with torch.inference_mode():
        (r, pixels), (other_r, other_pixels) = network(features), network(other)
    assert pixels.shape == (count, 3, patch, patch)
    moved = (pixels != other_pixels).flatten(1)
    assert moved[i].float().mean() > 0.9
    assert not moved[torch.arange(count) != i].any()
    assert (r != other_r).any(dim=1).nonzero()[:, 0].tolist() == [i]


@pytest.mark.parametrize("global_seed", [0, 1])
def test_the_generator_alone_decides_the_weights(global_seed: int) -> None:
    torch.manual_seed(global_seed)
    one, other = _drawn(3), _drawn(4)
    torch.manual_seed(77)
    again = _drawn(3)
    for key, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    first = "encoder.0.weight"
    assert not torch.equal(one.state_dict()[first], other.state_dict()[first])


def test_the_loss_is_zero_exactly_for_a_perfect_reconstruction() -> None:
    pixels = torch.rand((4, 3, 8, 8), generator=Generator().manual_seed(0))
    defective = torch.tensor([True, False, False, False])
    assert reconstruction_loss(pixels, pixels, defective) == 0
    assert reconstruction_loss(pixels + 0.1, pixels, defective) > 0


def test_an_error_in_a_defective_patch_weighs_more() -> None:
    pixels = torch.full((4, 3, 2, 2), 0.5)
    defective = torch.tensor([True, False, False, False])
    inside, outside = pixels.clone(), pixels.clone()
    inside[0] += 0.4
    outside[1] += 0.4
    at_defect = reconstruction_loss(inside, pixels, defective).item()
    elsewhere = reconstruction_loss(outside, pixels, defective).item()
    # mean over the patches, 0.16 / 4, and once more over the one with a defect, 0.16
    assert elsewhere == pytest.approx(0.04)
    assert at_defect == pytest.approx(0.04 + 0.16)


def test_without_a_defect_the_loss_is_the_mean_error() -> None:
    pixels = torch.full((2, 3, 2, 2), 0.5)
    none = torch.zeros(2, dtype=torch.bool)
    assert reconstruction_loss(pixels + 0.1, pixels, none).item() == pytest.approx(0.01)
