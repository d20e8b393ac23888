"""A trained model against the test images of its class.

Nothing here changes the model: threshold and memory were fixed before the first test image is read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchae.evidence.pixels import Collected
from patchae.files import Progress, silent
from patchae.images import load_mask
from patchae.model.detector import PatchAE
from patchae.model.metrics import aupro, auroc, decisions

GOOD = "good"


@dataclass(frozen=True)
class TestImage:
    """One test image. Paths are relative to the folder of all images."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    path: str
    sha256: str
    defect: str
    mask: str | None

    @property
    def label(self) -> int:
        """1 for defective, 0 for good."""
        return int(self.defect != GOOD)


@dataclass(frozen=True)
class Judged:
    """A test image and what the model says of it."""

    image: TestImage
    score: float
    anomalous: bool

    @property
    def correct(self) -> bool:
        """Whether the decision agrees with the label."""
        return self.anomalous == bool(self.image.label)


@dataclass(frozen=True)
class Evaluation:
    """Scores in the order of the images, metrics, and the maps worth looking at."""

    judged: tuple[Judged, ...]
    metrics: dict[str, Any]
    maps: dict[str, np.ndarray]
    """Anomaly maps (S, S) of the best and the worst decisions, by image path."""

    def ranked(self) -> list[Judged]:
        """Those that have a map, from the worst decision to the best."""
        chosen = [judged for judged in self.judged if judged.image.path in self.maps]
        return sorted(chosen, key=lambda j: margin(j, self.metrics["threshold"]))


def margin(judged: Judged, threshold: float) -> float:
    """How far on the right side of the threshold a score lies; negative on the wrong side."""
    distance = judged.score - threshold
    return distance if judged.image.label else -distance


def evaluate(
    model: PatchAE,
    folder: Path,
    images: Sequence[TestImage],
    *,
    keep_maps: int = 8,
    progress: Progress = silent,
) -> Evaluation:
    """Score every test image and sum up.

    Args:
        model: the trained model.
        folder: where the images' paths start.
        images: good and defective ones.
        keep_maps: how many maps to keep, half of the worst decisions and half of the best.
        progress: called after each batch.

    Returns:
        Metrics: `image_auroc`; `pixel_auroc` and `aupro`, over good images and those with a mask,
        from bins of scores where there are more than `evidence.pixels.MOST_EXACT`, with 95 %
        intervals [low, high] under `..._interval`, all None without any mask; `threshold`;
        `ms_per_image`, reading included; those of `decisions`.

    Raises:
        DataError: an image cannot be read.
    """
    size, step = model.settings.image_size, model.settings.batch_size
    judged: list[Judged] = []
    maps: dict[str, np.ndarray] = {}
    collected, seconds = Collected(), 0.0
    for start in range(0, len(images), step):
        batch = images[start : start + step]
        started = time.perf_counter()
        told = model.score([folder / image.path for image in batch])
        seconds += time.perf_counter() - started
        for image, scored in zip(batch, told, strict=True):
            judged.append(Judged(image, scored.score, scored.anomalous))
            maps[image.path] = scored.map
            if (mask := _mask(folder, image, size)) is not None:
                collected.add(mask, scored.map)
        shown = {judged[i].image.path for i in _worth_a_look(judged, model.threshold, keep_maps)}
        maps = {path: map_ for path, map_ in maps.items() if path in shown}
        progress("judging", len(judged), len(images))
    labels = [image.label for image in images]
    metrics: dict[str, Any] = {
        "image_auroc": auroc(labels, [j.score for j in judged]),
        **_of_pixels(collected),
        "threshold": model.threshold,
        "ms_per_image": 1000 * seconds / max(1, len(images)),
        **decisions(labels, [j.anomalous for j in judged], [i.defect for i in images]),
    }
    return Evaluation(tuple(judged), metrics, maps)


def _worth_a_look(judged: Sequence[Judged], threshold: float, most: int) -> list[int]:
    """Which of the images, from the worst decision to the best: half of each end."""
    order = sorted(range(len(judged)), key=lambda i: margin(judged[i], threshold))
    half = most // 2
    return order if len(order) <= most else order[:half] + order[-half:]


def _mask(folder: Path, image: TestImage, size: int) -> NDArray[np.bool_] | None:
    """Defective pixels (size, size); None where they are not known."""
    if image.mask is not None:
        return load_mask(folder / image.mask, size)
    return None if image.label else np.zeros((size, size), bool)


def _of_pixels(collected: Collected) -> dict[str, Any]:
    """How well the maps tell defective pixels, and how sure that is."""
    names = ("pixel_auroc", "pixel_auroc_interval", "aupro", "aupro_interval")
    pixels, every = collected.pixels(), collected.every
    if pixels is None:
        return dict.fromkeys(names)
    if every is not None:
        masks, maps = every
        area, overlap = auroc(masks.ravel(), maps.ravel()), aupro(masks, maps)
    else:
        once = np.ones((1, len(pixels.regions)))
        area, overlap = float(pixels.auroc(once)[0]), float(pixels.aupro(once)[0])
    limits = (pixels.interval(pixels.auroc, area), pixels.interval(pixels.aupro, overlap))
    sure, found = ([*one] if one else None for one in limits)
    return dict(zip(names, (area, sure, overlap, found), strict=True))
