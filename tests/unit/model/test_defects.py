"""Artificial defects: where the mask is, and nowhere else."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from patchae.model.defects import add_defects
from tests.support import examples

SIZES = st.integers(min_value=32, max_value=96)
SEEDS = st.integers(min_value=0, max_value=2**31)


def _images(size: int, seed: int, batch: int = 6) -> Tensor:
    return torch.rand((batch, 3, size, size), generator=Generator().manual_seed(seed))


@settings(deadline=None, max_examples=examples(40))
@given(SIZES, SEEDS, st.floats(0, 1))
def test_pixels_outside_the_mask_stay_as_they_are(size: int, seed: int, share: float) -> None:
    images = _images(size, seed)
    before = images.clone()
    changed, masks = add_defects(images, share, Generator().manual_seed(seed))
    assert torch.equal(images, before), "the argument is not changed"
    assert changed.shape == images.shape
    assert masks.shape == (len(images), 1, size, size)
    assert ((masks == 0) | (masks == 1)).all()
    assert changed.min() >= 0
    assert changed.max() <= 1
    outside = (masks == 0).expand_as(images)
    assert torch.equal(changed[outside], images[outside])


@settings(deadline=None, max_examples=20)
@given(SIZES, SEEDS)
def test_share_nought_changes_nothing_and_share_one_every_image(size: int, seed: int) -> None:
    images = _images(size, seed)
    unchanged, none = add_defects(images, 0.0, Generator().manual_seed(seed))
    assert torch.equal(unchanged, images)
    assert not none.any()
    changed, masks = add_defects(images, 1.0, Generator().manual_seed(seed))
    area = masks.flatten(1).mean(dim=1)
    assert (area > 0).all()
    assert (area < 0.5).all(), "a defect is one place, not the whole image"
    assert (changed != images).flatten(1).any(dim=1).all()


@settings(deadline=None, max_examples=20)
@given(SIZES, SEEDS)
def test_equal_generators_give_equal_images(size: int, seed: int) -> None:
    images = _images(size, seed)
    torch.manual_seed(1)
    one = add_defects(images, 0.5, Generator().manual_seed(seed))
    torch.manual_seed(2)
    two = add_defects(images, 0.5, Generator().manual_seed(seed))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_the_share_is_met_and_defects_differ() -> None:
    images = _images(32, 0, batch=400)
    _, masks = add_defects(images, 0.5, Generator().manual_seed(0))
    drawn = masks.flatten(1).any(dim=1)
    assert 150 < int(drawn.sum()) < 250, "more than five deviations from 200"
    shapes = {mask.numpy().tobytes() for mask in masks[drawn]}
    assert len(shapes) > 0.9 * int(drawn.sum())
