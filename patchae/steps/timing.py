"""How long a model takes for one image, on this device and whatever else it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patchae.model.detector import PatchAE

_WARM_UPS = 2
_TIMED = 10


def ms_per_image(model: PatchAE, files: Sequence[Path]) -> float:
    """Median time (ms) from the pixels of one image to its score, decision and map.

    Images are read and resized before, and the model is warm: what is measured is what an asker
    waits for the model itself, and neither the disk nor the first image. Of the median a moment in
    which the machine was busy moves nothing.

    Args:
        model: the trained model.
        files: images to score, at least one; the first ten are taken, again where there are fewer.

    Raises:
        DataError: an image cannot be read.
    """
    from patchae.model.images import load

    size = model.settings.image_size
    images = [load(path, size, model.white).permute(1, 2, 0).numpy() for path in files[:_TIMED]]
    took = []
    for number in range(_WARM_UPS + _TIMED):
        started = time.perf_counter()
        model.score([images[number % len(images)]])  # ends on the CPU: a GPU is waited for
        took.append(1e3 * (time.perf_counter() - started))
    return median(took[_WARM_UPS:])
