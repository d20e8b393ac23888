"""Choosing between settings: on good training images alone, with damage of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import choose
from bench.damage import KINDS, damaged
from patchae.model import defects
from patchae.model.detector import PatchAE
from patchae.model.training import train


def _part(seed: int = 0, *, grey: bool = False) -> np.ndarray:
    """A bright disc with some texture on a dark background."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:160, :160]
    inside = np.hypot(rows - 80, columns - 80) < 44
    image = np.full((160, 160, 3), 0.1) + random.normal(0, 0.01, (160, 160, 1))
    image[inside] += (0.5, 0.5, 0.5) if grey else (0.5, 0.4, 0.3)
    image[inside] += random.normal(0, 0.05, (int(inside.sum()), 1))
    return np.clip(image, 0, 1).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_local_on_the_product_and_repeatable(kind: str) -> None:
    made = 0
    for seed in range(12):
        image = _part(seed)
        before = image.copy()
        one = damaged(image, kind, np.random.default_rng(seed), [_part(99)])
        two = damaged(image, kind, np.random.default_rng(seed), [_part(99)])
        assert np.array_equal(image, before)
        assert (one is None) == (two is None)
        if one is None or two is None:
            continue
        made += 1
        copy, mask = one
        assert np.array_equal(copy, two[0])
        assert copy.dtype == np.float32
        assert 0 <= copy.min() <= copy.max() <= 1
        assert 6 <= mask.sum() < 0.3 * mask.size
        assert np.abs(copy - image).mean(2)[mask].mean() > 0.005
        rows, columns = np.nonzero(mask)
        assert np.hypot(rows - 80, columns - 80).min() < 54, "it touches the part"
    assert made >= 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_grey_camera_sees_no_colour(kind: str) -> None:
    image = _part(1, grey=True)
    made = damaged(image, kind, np.random.default_rng(3), [_part(99)])
    assert made is None or np.ptp(made[0], axis=2).max() < 1e-6


def test_a_candidate_is_measured_without_a_test_folder(
    plant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "bolt" / "train" / "good"
    good.mkdir(parents=True)
    for path in (plant / "bolt" / "train" / "good").iterdir():
        (good / path.name).write_bytes(path.read_bytes())
    drawn: list[set[str]] = []
    whole = set(defects.FILLINGS)

    def watched(*arguments: Any, **options: Any) -> PatchAE:
        drawn.append(set(defects.FILLINGS))
        return train(*arguments, **options)

    monkeypatch.setattr(choose, "train", watched)
    settings = {"image_size": 64, "epochs": 1, "damaged_images": 8, "memory_size": 200}
    tiny = choose.Candidate(settings, weights=(0.25, 1, 1))
    found = choose.measure(tmp_path, ["bolt"], tiny)
    assert set(found) == {"bolt"}
    assert 0 <= found["bolt"] <= 1
    one, other = drawn
    assert one | other == whole
    assert not one & other, "what is asked for is of no kind that was taught"
    assert set(defects.FILLINGS) == whole, "put back"
