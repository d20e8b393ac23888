"""Pixel AUROC and AUPRO from bins of images: as from every pixel, and how sure."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from patchae.evidence.pixels import Collected, Pixels
from patchae.model.metrics import aupro, auroc

Drawn = tuple[np.ndarray, np.ndarray]


def drawn(images: int, seed: int, *, spread: float = 0.4) -> Drawn:
    """Masks with up to two defects in every second image, and maps that show them unevenly."""
    random = np.random.default_rng(seed)
    masks = np.zeros((images, 32, 32), bool)
    maps = random.normal(0, 1, masks.shape).astype(np.float32)
    for number in range(0, images, 2):
        for _ in range(random.integers(1, 3)):
            y, x = random.integers(0, 24, 2)
            masks[number, y : y + 6, x : x + 6] = True
        maps[number][masks[number]] += max(0.0, random.normal(2, spread * 5))
    return masks, maps


@pytest.mark.parametrize("seed", range(4))
def test_the_bins_give_what_every_pixel_gives(seed: int) -> None:
    masks, maps = drawn(20, seed)
    pixels, once = Pixels.of(masks, maps), np.ones((1, 20))
    assert pixels.auroc(once)[0] == pytest.approx(auroc(masks.ravel(), maps.ravel()), abs=2e-3)
    assert pixels.aupro(once)[0] == pytest.approx(aupro(masks, maps), abs=5e-3)


@pytest.mark.parametrize("most", [3, 16, 39])
def test_many_images_give_in_bins_what_every_pixel_gives(most: int) -> None:
    masks, maps = drawn(40, 3)
    collected = Collected(most)
    for mask, map_ in zip(masks, maps, strict=True):
        collected.add(mask, map_)
    pixels, once = collected.pixels(), np.ones((1, 40))
    assert collected.every is None
    assert pixels is not None
    assert pixels.auroc(once)[0] == pytest.approx(auroc(masks.ravel(), maps.ravel()), abs=2e-3)
    assert pixels.aupro(once)[0] == pytest.approx(aupro(masks, maps), abs=5e-3)


def test_of_few_images_every_pixel_is_kept() -> None:
    masks, maps = drawn(5, 3)
    collected = Collected(5)
    for mask, map_ in zip(masks, maps, strict=True):
        collected.add(mask, map_)
    assert collected.every is not None
    assert (collected.every[0] == masks).all()
    assert (collected.every[1] == maps).all()


@pytest.mark.parametrize("images", [0, 3, 12])
def test_without_defective_pixels_there_is_nothing_to_measure(images: int) -> None:
    collected = Collected(6)
    for number in range(images):
        collected.add(np.zeros((8, 8), bool), np.full((8, 8), number, np.float32))
    assert collected.pixels() is None


def test_a_weight_of_two_is_the_image_twice() -> None:
    masks, maps = drawn(6, 5)
    twice = np.r_[masks, masks[:1]], np.r_[maps, maps[:1]]
    weights = np.array([[2.0, 1, 1, 1, 1, 1]])
    pixels = Pixels.of(masks, maps)
    assert pixels.auroc(weights)[0] == pytest.approx(
        auroc(twice[0].ravel(), twice[1].ravel()), abs=2e-3
    )
    assert pixels.aupro(weights)[0] == pytest.approx(aupro(*twice), abs=5e-3)


@pytest.mark.parametrize("name", ["auroc", "aupro"])
def test_the_interval_holds_the_value_and_narrows_with_more_images(name: str) -> None:
    widths = []
    for images in (10, 160):
        masks, maps = drawn(images, 7)
        pixels = Pixels.of(masks, maps)
        measure = getattr(pixels, name)
        exact = auroc(masks.ravel(), maps.ravel()) if name == "auroc" else aupro(masks, maps)
        found = pixels.interval(measure, exact)
        assert found is not None
        low, high = found
        assert 0 <= low < exact < high <= 1
        assert (low, high) == pixels.interval(measure, exact)
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize("kind", [True, False])
def test_a_single_image_of_a_kind_shows_no_certainty(kind: bool) -> None:
    masks, maps = drawn(40, 5)
    has = masks.any(axis=(1, 2))
    kept = np.append(np.flatnonzero(has != kind), np.flatnonzero(has == kind)[:1])
    pixels = Pixels.of(masks[kept], maps[kept])
    assert pixels.interval(pixels.auroc, 0.9) is None
    assert pixels.interval(pixels.aupro, 0.9) is None


def test_the_interval_often_holds_the_truth() -> None:
    masks, maps = drawn(4000, 11)
    truth = auroc(masks.ravel(), maps.ravel())
    held = 0
    for start in range(0, 4000, 40):
        part = slice(start, start + 40)
        pixels = Pixels.of(masks[part], maps[part])
        exact = auroc(masks[part].ravel(), maps[part].ravel())
        low, high = pixels.interval(pixels.auroc, exact, draws=300) or (nan, nan)
        held += low <= truth <= high
    assert held >= 85
