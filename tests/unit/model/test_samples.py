"""Patches to learn from: drawn once, bounded, and labelled by where a defect was drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from patchae.config import Training
from patchae.model import samples
from patchae.model.backbone import Backbone, load_weights
from patchae.model.detector import PatchAE
from patchae.model.images import load
from patchae.model.samples import Samples, collect
from tests.support.trained import SETTINGS, Small


def _collected(small: Small, count: int = 6, **changes: object) -> tuple[PatchAE, Samples]:
    settings = Training(**{**SETTINGS.model_dump(), **changes})
    backbone = Backbone(settings.backbone, settings.strides, load_weights(settings.backbone))
    model = PatchAE(settings, backbone)
    return model, collect(model, small.images[:count], lambda *_: None)


def test_patches_of_good_images_are_those_of_the_files(small: Small) -> None:
    model, found = _collected(small, 3, damaged_images=0)
    side = SETTINGS.image_size // model.patch
    assert len(found) == 3 * side * side, "all of them, since there are few"
    assert not found.copy.any()
    assert not found.defective.any()
    image = load(small.images[1], SETTINGS.image_size)
    cut = {
        tuple(image[:, y : y + 8, x : x + 8].flatten().tolist())
        for y in range(0, SETTINGS.image_size, 8)
        for x in range(0, SETTINGS.image_size, 8)
    }
    drawn = {tuple(patch.flatten().tolist()) for patch in found.pixels[found.image == 1]}
    assert drawn == cut


def test_copies_are_spread_over_the_images(small: Small) -> None:
    _, found = _collected(small, 6, damaged_images=3)
    with_copies = found.image[found.copy].unique()
    assert 1 <= len(with_copies) <= 3
    assert set(found.image[~found.copy].tolist()) == set(range(6))
    _, more = _collected(small, 3, damaged_images=60)
    assert set(more.image[more.copy].tolist()) == {0, 1, 2}
    assert more.defective.sum() * 3 == more.copy.sum(), "as many of two harmless kinds"
    assert more.defective.any()
    assert not (more.defective & ~more.copy).any(), "a defect is on a copy"


def test_what_is_drawn_does_not_grow_with_the_images(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_CLEAN", 60)
    _, few = _collected(small, 3, damaged_images=0)
    _, many = _collected(small, 12, damaged_images=0)
    assert len(few) == len(many) == 60


def test_the_size_of_a_batch_does_not_move_what_is_drawn_from_good_images(small: Small) -> None:
    _, one = _collected(small, 5, damaged_images=0, batch_size=1)
    _, four = _collected(small, 5, damaged_images=0, batch_size=4)
    assert torch.equal(one.pixels, four.pixels)
    assert torch.equal(one.image, four.image)


def test_a_killed_collection_goes_on_and_ends_in_the_same(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "SHARD", 4)
    model, undisturbed = _collected(small, 12)
    kept = tmp_path / "kept"
    first = collect(model, small.images, lambda *_: None, kept)
    files = sorted(kept.iterdir())
    assert len(files) == 3
    files[1].write_bytes(files[1].read_bytes()[:100])  # half written, as only a bad disk can
    files[2].unlink()
    before = files[0].stat().st_mtime_ns
    again = collect(model, small.images, lambda *_: None, kept)
    assert files[0].stat().st_mtime_ns == before, "a finished shard is not made again"
    for name, value in vars(undisturbed).items():
        assert torch.equal(value, getattr(first, name)), name
        assert torch.equal(value, getattr(again, name)), name
