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
@given(
    st.sampled_from([2, 4, 8]), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.data()
)
def test_one_feature_vector_changes_one_patch_alone(
    patch: int, batch: int, height: int, width: int, data: st.DataObject
) -> None:
    network = _drawn(1, patch=patch)
    b, i, j = (data.draw(st.integers(0, n - 1)) for n in (batch, height, width))
    features = torch.randn((batch, 6, height, width), generator=Generator().manual_seed(2))
    other = features.clone()
    other[b, :, i, j] += 1
    with torch.inference_mode():
        (r, pixels), (other_r, other_pixels) = network(features), network(other)
    assert pixels.shape == (batch, 3, height * patch, width * patch)
    moved = (pixels != other_pixels).any(dim=1)  # (B, H P, W P)
    inside = torch.zeros_like(moved)
    inside[b, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch] = True
    assert not moved[~inside].any()
    assert moved[inside].float().mean() > 0.9
    assert (r != other_r).any(dim=1).nonzero().tolist() == [[b, i, j]]


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
    images = torch.rand((2, 3, 16, 16), generator=Generator().manual_seed(0))
    defects = torch.zeros((2, 1, 16, 16))
    defects[0, :, 4:8, 4:8] = 1
    assert reconstruction_loss(images, images, defects) == 0
    assert reconstruction_loss(images + 0.1, images, defects) > 0


def test_an_error_inside_a_defect_weighs_more() -> None:
    images = torch.full((1, 3, 16, 16), 0.5)
    defects = torch.zeros((1, 1, 16, 16))
    defects[..., :4, :4] = 1  # 16 of 256 pixels
    inside, outside = images.clone(), images.clone()
    inside[..., 0, 0] += 0.4
    outside[..., 9, 9] += 0.4
    at_defect = reconstruction_loss(inside, images, defects).item()
    elsewhere = reconstruction_loss(outside, images, defects).item()
    # mean over the image, 0.16 / 256, and once more over the defect alone, 0.16 / 16
    assert elsewhere == pytest.approx(0.16 / 256)
    assert at_defect == pytest.approx(0.16 / 256 + 0.16 / 16)
