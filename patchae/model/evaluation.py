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

from patchae.evidence.pixels import Pixels
from patchae.files import Progress, silent
from patchae.model.detector import PatchAE
from patchae.model.images import load_mask
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
        with 95 % intervals [low, high] under `..._interval`, all None without any mask;
        `threshold`; `ms_per_image`, reading included; those of `decisions`.

    Raises:
        DataError: an image cannot be read.
    """
    size, step = model.settings.image_size, model.settings.batch_size
    judged: list[Judged] = []
    maps: list[np.ndarray] = []
    started = time.perf_counter()
    for start in range(0, len(images), step):
        batch = images[start : start + step]
        for image, scored in zip(batch, model.score([folder / i.path for i in batch]), strict=True):
            judged.append(Judged(image, scored.score, scored.anomalous))
            maps.append(scored.map)
        progress("judging", len(judged), len(images))
    seconds = time.perf_counter() - started
    labels = [image.label for image in images]
    metrics: dict[str, Any] = {
        "image_auroc": auroc(labels, [j.score for j in judged]),
        **_of_pixels(folder, images, maps, size),
        "threshold": model.threshold,
        "ms_per_image": 1000 * seconds / max(1, len(images)),
        **decisions(labels, [j.anomalous for j in judged], [i.defect for i in images]),
    }
    order = sorted(range(len(judged)), key=lambda i: margin(judged[i], model.threshold))
    half = keep_maps // 2
    shown = order if len(order) <= keep_maps else order[:half] + order[-half:]
    return Evaluation(tuple(judged), metrics, {images[i].path: maps[i] for i in shown})


def _of_pixels(
    folder: Path, images: Sequence[TestImage], maps: Sequence[np.ndarray], size: int
) -> dict[str, Any]:
    """How well the maps tell defective pixels, and how sure that is."""
    names = ("pixel_auroc", "pixel_auroc_interval", "aupro", "aupro_interval")
    masks, seen = [], []
    for image, map_ in zip(images, maps, strict=True):
        if image.mask is not None:
            masks.append(load_mask(folder / image.mask, size))
        elif image.label == 0:
            masks.append(np.zeros((size, size), bool))
        else:
            continue
        seen.append(map_)
    if not any(mask.any() for mask in masks) or all(mask.all() for mask in masks):
        return dict.fromkeys(names)
    together, values = np.stack(masks), np.stack(seen)
    pixels = Pixels.of(together, values)
    area, overlap = auroc(together.ravel(), values.ravel()), aupro(together, values)
    limits = (pixels.interval(pixels.auroc, area), pixels.interval(pixels.aupro, overlap))
    sure, found = ([*one] if one else None for one in limits)
    return dict(zip(names, (area, sure, overlap, found), strict=True))
