"""How sure pixel AUROC and AUPRO are: test images drawn again, each with all of its pixels.

Pixels of one image belong together, so that what is uncertain is which images there are, not which
pixels. Each image is summed up in bins of scores once; a draw only weighs images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Interval = tuple[float, float]
Row = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], np.float64]
"""The columns of `Pixels` of one image."""

MOST_EXACT = 256
"""Images that are measured from every pixel; of more than these, bins must do."""
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
        return cls.from_rows(_rows(_edges(masks, maps), masks, maps))

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> Pixels:
        """Images that were summed up in the same bins."""
        free, defective, overlap, regions = (np.stack(part) for part in zip(*rows, strict=True))
        return cls(free, defective, overlap, regions)

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


class Collected:
    """Test images for the measures of pixels: every pixel of a few, and of many what bins hold.

    So that memory does not grow with the test set: an image in bins takes 48 kB.
    """

    def __init__(self, most: int = MOST_EXACT) -> None:
        self._most = most
        self._masks: list[NDArray[np.bool_]] = []
        self._maps: list[NDArray[np.float32]] = []
        self._edges: NDArray[np.float64] | None = None
        self._rows: list[Row] = []

    def add(self, mask: NDArray[np.bool_], map_: NDArray[np.float32]) -> None:
        """One more image: its mask (S, S), True where defective, and its anomaly map (S, S)."""
        if self._edges is not None:
            self._rows.append(_row(self._edges, mask, map_))
            return
        self._masks.append(mask)
        self._maps.append(map_)
        if len(self._masks) > self._most:
            masks, maps = np.stack(self._masks), np.stack(self._maps)
            self._edges = _edges(masks, maps)
            self._rows = _rows(self._edges, masks, maps)
            self._masks, self._maps = [], []

    @property
    def every(self) -> tuple[NDArray[np.bool_], NDArray[np.float32]] | None:
        """Masks and maps (N, S, S) of all images; None when there are more than `most`, or none."""
        return (np.stack(self._masks), np.stack(self._maps)) if self._masks else None

    def pixels(self) -> Pixels | None:
        """All images in bins; None unless they have defective and defect-free pixels."""
        every = self.every
        rows = self._rows if every is None else _rows(_edges(*every), *every)
        found = Pixels.from_rows(rows) if rows else None
        return found if found and found.defective.any() and found.free.any() else None


def _rows(
    edges: NDArray[np.float64], masks: NDArray[np.bool_], maps: NDArray[np.float32]
) -> list[Row]:
    return [_row(edges, *image) for image in zip(masks, maps, strict=True)]


def _row(edges: NDArray[np.float64], mask: NDArray[np.bool_], map_: NDArray[np.float32]) -> Row:
    """One image summed up in bins; see `Pixels`."""
    from scipy.ndimage import label

    bins = len(edges) - np.searchsorted(edges, map_.ravel(), side="right")
    inside = mask.ravel()
    shares = np.zeros(mask.size)
    count = 0
    if inside.any():
        numbers, count = label(mask, structure=_TOUCHING)
        shares[inside] = 1 / np.bincount(numbers.ravel())[numbers.ravel()[inside]]
    free, defective, overlap = (
        np.bincount(bins, of, len(edges) + 1).astype(np.float64)
        for of in ((~inside).astype(float), inside.astype(float), shares)
    )
    return free, defective, overlap, np.float64(count)


def _edges(masks: NDArray[np.bool_], maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Limits of the bins: half of them where all pixels lie, half where the defective ones do."""
    levels = np.linspace(0, 1, _BINS // 2)
    defective = maps[masks] if masks.any() else maps
    return np.unique(
        np.concatenate([np.quantile(maps, levels), np.quantile(defective, levels)])
    ).astype(np.float64)
