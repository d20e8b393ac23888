"""From what a child scored to metrics, by the same code for every method."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.methods import ROOT, digest_of
from patchae.dataset.manifest import class_digest, read_manifest
from patchae.files import write_json
from patchae.images import load_mask
from patchae.model.evaluation import TestImage
from patchae.model.metrics import aupro, auroc

IMAGE_ONLY = frozenset({"screw"})
"""Classes whose masks do not fit their images: no pixel metrics."""
_SOURCES = ("bench/judge.py", "patchae/model/metrics.py", "patchae/model/images.py")


@dataclass(frozen=True)
class Product:
    """One class of a folder in MVTec AD layout, at one image size."""

    data: Path
    name: str
    image_size: int
    digest: str
    """Of every image and mask."""
    train: tuple[str, ...]
    """Files of train/good, relative to the folder."""
    digests: tuple[str, ...]
    tests: tuple[TestImage, ...]

    @cached_property
    def labels(self) -> list[int]:
        """1 for each defective test image, 0 for each good one."""
        return [test.label for test in self.tests]

    @cached_property
    def masks(self) -> tuple[list[int], np.ndarray] | None:
        """Which test images say where their defects are, and those masks (N, S, S)."""
        if self.name in IMAGE_ONLY or not any(test.mask for test in self.tests):
            return None
        known = [i for i, test in enumerate(self.tests) if test.mask or not test.label]
        blank = np.zeros((self.image_size, self.image_size), bool)
        return known, np.stack(
            [
                load_mask(self.data / mask, self.image_size) if mask else blank
                for mask in (self.tests[i].mask for i in known)
            ]
        )


def class_names(data: Path) -> list[str]:
    """The classes of a folder in MVTec AD layout, sorted: those that have train/good."""
    return sorted(folder.parents[1].name for folder in data.glob("*/train/good"))


def read_product(data: Path, name: str, image_size: int) -> Product:
    """Read a class.

    Raises:
        DataError: it is not there, or an image cannot be read.
    """
    manifest = read_manifest(data, name)
    learned = manifest[(manifest["split"] == "train") & (manifest["defect"] == "good")]
    tested = manifest[manifest["split"] == "test"]
    columns = (tested["path"], tested["sha256"], tested["defect"], tested["mask"])
    return Product(
        data=data,
        name=name,
        image_size=image_size,
        digest=class_digest(manifest),
        train=tuple(learned["path"]),
        digests=tuple(learned["sha256"]),
        tests=tuple(TestImage(*values) for values in zip(*columns, strict=True)),
    )


def judge(folder: Path, product: Product) -> dict[str, Any]:
    """Metrics of the run that a folder keeps; computed once for each state of this code.

    Returns:
        `scores` of the test images, in their order, and `image_auroc`, `pixel_auroc` and `aupro`;
        the last two are None without reliable masks. `judge` is the state of this code.
    """
    kept, state = folder / "metrics.json", judge_digest()
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        if found.get("judge") == state:
            return found
    with np.load(folder / "scores.npz") as arrays:
        scores, maps = arrays["scores"], arrays["maps"]
    metrics: dict[str, Any] = {
        "judge": state,
        "scores": [float(score) for score in scores],
        "image_auroc": auroc(product.labels, scores),
        "pixel_auroc": None,
        "aupro": None,
    }
    if product.masks is not None:
        known, masks = product.masks
        seen = maps[known].astype(np.float32)
        metrics["pixel_auroc"] = auroc(masks.ravel(), seen.ravel())
        metrics["aupro"] = aupro(masks, seen)
    write_json(kept, metrics)
    return metrics


def judge_digest() -> str:
    """State of the code that makes metrics of scores and maps."""
    return digest_of(_SOURCES, ROOT)
