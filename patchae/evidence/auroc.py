"""Image AUROC and its confidence interval, from the ranks of the scores alone.

    components   for each image, the share of the other kind that it is told apart from
    measured     their mean and scatter: all that is needed of the images from here on
    interval     DeLong's variance from the scatter, on the scale of the logit

Ties count half. Everything here is the same under any increasing change of the scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from patchae.intervals import newcombe_interval

_MODELLED = 0.05
"""Share of Hanley and McNeil's variance in the variance; see `Measured.interval`."""
_NONE = 1e-15
"""A variance below this is rounding."""


@dataclass(frozen=True)
class Components:
    """How each test image fares against those of the other kind.

    Both have the AUROC as their mean (DeLong, DeLong and Clarke-Pearson 1988, Biometrics
    44:837-845; computed from midranks as in Sun and Xu 2014, IEEE SPL 21:1389-1393).
    """

    good: NDArray[np.float64]
    """Share of defective images above each good one (n,), in the order of the good ones."""
    defective: NDArray[np.float64]
    """Share of good images below each defective one (m,), in the order of the defective ones."""

    @property
    def auroc(self) -> float:
        """The probability that a defective image scores above a good one, 0..1."""
        return float(self.defective.mean())


def components(labels: Sequence[int], scores: Sequence[float]) -> Components:
    """Components of scores, higher being more anomalous.

    Args:
        labels: 1 for defective, 0 for good.
        scores: one for each label; not NaN.

    Raises:
        ValueError: there are fewer than 2 good or 2 defective images.
    """
    marks, values = np.asarray(labels, bool), np.asarray(scores, np.float64)
    good, defective = values[~marks], values[marks]
    n, m = len(good), len(defective)
    if n < 2 or m < 2:
        raise ValueError(f"{n} good and {m} defective images: expected at least 2 of each")
    together = midranks(np.concatenate([good, defective]))
    return Components(
        good=1 - (together[:n] - midranks(good)) / m,
        defective=(together[n:] - midranks(defective)) / n,
    )


def midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ranks of values from 1 on (n,); equal ones share the mean of theirs.

    What `scipy.stats.rankdata` gives, to the last bit, without half a second of imports.
    """
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, "left")
    upto = np.searchsorted(ordered, values, "right")
    return (below + upto + 1) / 2


@dataclass(frozen=True)
class Measured:
    """An AUROC, and what the images that it was measured on show of its scatter."""

    n_good: int
    n_defect: int
    auroc: float
    """0..1."""
    good_variance: float
    """Variance of the good images' components."""
    defect_variance: float
    """Variance of the defective images' components."""

    @classmethod
    def of(cls, labels: Sequence[int], scores: Sequence[float]) -> Measured:
        """What labels (1 for defective) and scores show.

        Raises:
            ValueError: there are fewer than 2 good or 2 defective images.
        """
        return cls.from_components(components(labels, scores))

    @classmethod
    def from_components(cls, found: Components) -> Measured:
        """The mean and the scatter of components."""
        return cls(
            len(found.good),
            len(found.defective),
            found.auroc,
            float(found.good.var(ddof=1)),
            float(found.defective.var(ddof=1)),
        )

    @property
    def variance(self) -> float:
        """DeLong's variance of the AUROC; 0 where every image fares alike."""
        return self.good_variance / self.n_good + self.defect_variance / self.n_defect

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Between which values (low, high) the AUROC of all such images lies, 0..1.

        An interval on the scale of the logit, which keeps it within 0..1 (Qin and Hotilovac 2008,
        Stat. Methods Med. Res. 17:207-221), with DeLong's variance. On few images that variance
        is often too small by chance, so a twentieth of it is what Hanley and McNeil (1982) expect
        for exponential scores at this AUROC. Where all images fare alike, as at an AUROC of 1,
        the ranks show no variance at all: there Newcombe's interval is taken, which never
        collapses to a point. It knows counts alone and is wide; but a perfect result says at least
        as much as one with a single pair the wrong way round, and its low end lies no lower.
        """
        a, n, m = self.auroc, self.n_good, self.n_defect
        if self.variance <= _NONE or not 0 < a < 1:
            low, high = newcombe_interval(a, n, m, confidence)
            if 0 < a < 1 or n * m < 2:
                return low, high
            near_low, near_high = self._but_for_a_pair().interval(confidence)
            return (max(low, near_low), high) if a else (low, min(high, near_high))
        pairs = (n + m) / 2 - 1
        modelled = a * (1 - a) * (1 + pairs * ((1 - a) / (2 - a) + a / (1 + a))) / (n * m)
        deviation = math.sqrt((1 - _MODELLED) * self.variance + _MODELLED * modelled)
        reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation / (a * (1 - a))
        logit = math.log(a / (1 - a))
        return _logistic(logit - reach), _logistic(logit + reach)

    def _but_for_a_pair(self) -> Measured:
        """What an AUROC of 1 or 0 would be, had one pair of images the other order."""
        n, m = self.n_good, self.n_defect
        step = 1 / (n * m)
        return Measured(n, m, abs(self.auroc - step), step / m, step / n)


def auroc_interval(
    labels: Sequence[int], scores: Sequence[float], confidence: float = 0.95
) -> tuple[float, float]:
    """As `Measured.interval`; (NaN, NaN) for fewer than 2 good or 2 defective images."""
    marks = [int(label) for label in labels]
    if min(sum(marks), len(marks) - sum(marks)) < 2:
        return math.nan, math.nan
    return Measured.of(marks, scores).interval(confidence)


def _logistic(value: float) -> float:
    # Of a negative number alone, so that no power overflows.
    small = math.exp(-abs(value))
    return 1 / (1 + small) if value >= 0 else small / (1 + small)
