"""From the numbers of images to statistics that can be compared: what the reference is used for.

Place is found by phase correlation with the mean image of the reference (Kuglin and Hines 1975).
Content is the Mahalanobis distance of the mean features from those of the reference, in the space
of its largest components; half of the reference makes the space and the other half says what is
usual in it, since an image that helped to make a space lies closer in it than a new one does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchae.drift.numbers import LOOKS, PLACE, STATISTICS, Numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPONENTS = 16
"""Largest number of components of the features."""


@dataclass(frozen=True)
class Yardstick:
    """What is learned from the reference."""

    mean_image: NDArray[np.float32]
    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    """(K, C)."""
    spread: NDArray[np.float64]
    """(K,): standard deviation along each axis."""

    def measure(self, numbers: Numbers) -> dict[str, NDArray[np.float64]]:
        """Each statistic of each image, (N,), by name."""
        found = {name: numbers.looks[:, i] for i, name in enumerate(LOOKS)}
        places = np.array([_shift(one, self.mean_image) for one in numbers.small]).reshape(-1, 2)
        found |= {name: places[:, i] for i, name in enumerate(PLACE)}
        along = (numbers.features - self.centre) @ self.axes.T / self.spread
        found["embedding"] = np.sqrt((along**2).mean(axis=1))
        found["score"] = numbers.scores
        return {name: np.asarray(found[name], np.float64) for name in STATISTICS}


def yardstick(numbers: Numbers) -> tuple[Yardstick, NDArray[np.bool_]]:
    """What half of the reference gives, and (N,) which images are the other half.

    The halves are every second image: files are in the order of their digests, which is by chance.
    """
    makes = np.arange(len(numbers)) % 2 == 0
    features = numbers.features[makes].astype(np.float64)
    centre = features.mean(axis=0)
    _, spread, axes = np.linalg.svd(features - centre, full_matrices=False)
    # Of n images n - 1 directions say anything, and the last of these next to nothing.
    kept = max(1, min(COMPONENTS, (len(features) - 1) // 2))
    deviation = spread[:kept] / max(1, len(features) - 1) ** 0.5
    floor = max(float(deviation[0]) * 1e-3, 1e-12)
    return (
        Yardstick(
            numbers.small[makes].mean(axis=0),
            centre,
            axes[:kept],
            np.maximum(deviation, floor),
        ),
        ~makes,
    )


def _shift(image: NDArray[np.float32], mean: NDArray[np.float32]) -> tuple[float, float]:
    """By how much an image lies right of and below the mean image, in percent of its side."""
    side = len(mean)
    window = np.hanning(side)[:, None] * np.hanning(side)[None, :]
    one, other = (np.fft.fft2((each - each.mean()) * window) for each in (image, mean))
    cross = one * other.conj()
    peak = np.fft.ifft2(cross / (np.abs(cross) + 1e-9)).real
    row, column = divmod(int(peak.argmax()), side)
    dy, dx = (
        _finer(peak[:, column], row, side),
        _finer(peak[row], column, side),
    )
    return 100 * dx / side, 100 * dy / side


def _finer(line: NDArray[np.float64], at: int, side: int) -> float:
    """Where a peak lies between pixels: the vertex of the parabola through three values."""
    before, here, after = line[at - 1], line[at], line[(at + 1) % side]
    bend = before - 2 * here + after
    off = 0.5 * (before - after) / bend if bend < 0 else 0.0
    place = at + float(np.clip(off, -0.5, 0.5))
    return place - side if place > side / 2 else place
