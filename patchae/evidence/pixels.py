"""How sure pixel AUROC and AUPRO are: test images drawn again, each with all of its pixels.

Pixels of one image belong together, so that what is uncertain is which images there are, not which
pixels. Each image is summed up in bins of scores once; a draw only weighs images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Interval = tuple[float, float]

_BINS = 2_000
_TOUCHING = np.ones((3, 3), int)  # pixels that meet at a corner are of one region


@dataclass(frozen=True)
class Pixels:
    """Test images in bins of pixel scores, the highest bin first; all of shape (images, bins)."""

    free: NDArray[np.float64]
    """Defect-free pixels."""
    defective: NDArray[np.float64]
    """Defective pixels."""
    overlap: NDArray[np.float64]
    """Shares of the image's defective regions, summed over its regions."""
    regions: NDArray[np.float64]
    """Number of defective regions (images,)."""

    @classmethod
    def of(cls, masks: NDArray[np.bool_], maps: NDArray[np.float32]) -> Pixels:
        """Sum up masks (N, S, S), True where defective, and anomaly maps (N, S, S)."""
        from scipy.ndimage import label

        edges = _edges(masks, maps)
        rows: list[list[NDArray[np.float64]]] = []
        counts = []
        for mask, map_ in zip(masks, maps, strict=True):
            bins = len(edges) - np.searchsorted(edges, map_.ravel(), side="right")
            inside = mask.ravel()
            shares = np.zeros(mask.size)
            count = 0
            if inside.any():
                numbers, count = label(mask, structure=_TOUCHING)
                shares[inside] = 1 / np.bincount(numbers.ravel())[numbers.ravel()[inside]]
            size = len(edges) + 1
            columns = ((~inside).astype(float), inside.astype(float), shares)
            rows.append([np.bincount(bins, of, size).astype(np.float64) for of in columns])
            counts.append(count)
        free, defective, overlap = (np.stack(column) for column in zip(*rows, strict=True))
        return cls(free, defective, overlap, np.array(counts, np.float64))

    def auroc(self, weights: Weights) -> Weights:
        """Pixel AUROC (draws,) where image i counts `weights[:, i]` times (draws, images)."""
        free, defective = weights @ self.free, weights @ self.defective
        above = np.cumsum(defective, axis=1) - defective / 2  # ties within a bin count half
        pairs = free.sum(axis=1) * defective.sum(axis=1)
        result: Weights = (free * above).sum(axis=1) / pairs
        return result

    def aupro(self, weights: Weights, limit: float = 0.3) -> Weights:
        """AUPRO (draws,) up to a false-positive rate of `limit`, weighed as in `auroc`.

        As `patchae.model.metrics.aupro` computes it from every pixel.
        """
        free = np.cumsum(weights @ self.free, axis=1)
        rates = free / free[:, -1:]
        found = np.cumsum(weights @ self.overlap, axis=1) / (weights @ self.regions)[:, None]
        grid = np.linspace(0, limit, 301)
        return np.array(
            [
                np.trapezoid(np.interp(grid, np.append(0, x), np.append(0, y)), grid) / limit
                for x, y in zip(rates, found, strict=True)
            ]
        )

    def interval(
        self,
        measure: Callable[[Weights], Weights],
        exact: float,
        *,
        confidence: float = 0.95,
        draws: int = 1_000,
        seed: int = 0,
    ) -> Interval | None:
        """Between which values (low, high) a measure lies with other images of these kinds.

        Percentiles of a stratified bootstrap over images (Efron and Tibshirani 1993, chapter 13):
        those with and those without defects are drawn again, each as often as they are there. None
        with a single image of either: drawn again it is always the same, and would seem certain.

        Args:
            measure: `self.auroc` or `self.aupro`.
            exact: the measure of all images from every pixel; what the bins round is taken off.
            confidence: two-sided.
            draws: how often images are drawn.
            seed: of the draws.
        """
        strata = np.flatnonzero(self.regions > 0), np.flatnonzero(self.regions == 0)
        if any(len(stratum) == 1 for stratum in strata):
            return None
        random = np.random.default_rng(seed)
        weights = np.zeros((draws, len(self.regions)))
        for stratum in strata:
            if len(stratum):
                even = np.full(len(stratum), 1 / len(stratum))
                weights[:, stratum] = random.multinomial(len(stratum), even, draws)
        rounded = exact - float(measure(np.ones((1, len(self.regions))))[0])
        tail = (1 - confidence) / 2
        low, high = np.quantile(measure(weights), [tail, 1 - tail]) + rounded
        return max(0.0, float(low)), min(1.0, float(high))


def _edges(masks: NDArray[np.bool_], maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Limits of the bins: half of them where all pixels lie, half where the defective ones do."""
    levels = np.linspace(0, 1, _BINS // 2)
    return np.unique(
        np.concatenate([np.quantile(maps, levels), np.quantile(maps[masks], levels)])
    ).astype(np.float64)
