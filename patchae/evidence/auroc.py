"""Image AUROC and its confidence interval, from the ranks of the scores alone.

    components   for each image, the share of the other kind that it is told apart from
    interval     DeLong's variance of these, on the scale of the logit

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
"""Share of Hanley and McNeil's variance in the variance; see `auroc_interval`."""


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

    @property
    def variance(self) -> float:
        """DeLong's variance of the AUROC; 0 where every image fares alike."""
        return sum(float(one.var(ddof=1)) / len(one) for one in (self.good, self.defective))


def components(labels: Sequence[int], scores: Sequence[float]) -> Components:
    """Components of scores, higher being more anomalous.

    Args:
        labels: 1 for defective, 0 for good.
        scores: one for each label; not NaN.

    Raises:
        ValueError: there are fewer than 2 good or 2 defective images.
    """
    from scipy.stats import rankdata

    marks, values = np.asarray(labels, bool), np.asarray(scores, np.float64)
    good, defective = values[~marks], values[marks]
    n, m = len(good), len(defective)
    if n < 2 or m < 2:
        raise ValueError(f"{n} good and {m} defective images: expected at least 2 of each")
    together = rankdata(np.concatenate([good, defective]))
    return Components(
        good=1 - (together[:n] - rankdata(good)) / m,
        defective=(together[n:] - rankdata(defective)) / n,
    )


def auroc_interval(
    labels: Sequence[int], scores: Sequence[float], confidence: float = 0.95
) -> tuple[float, float]:
    """Between which values (low, high) the AUROC of all such images lies, 0..1.

    An interval on the scale of the logit, which keeps it within 0..1 (Qin and Hotilovac 2008,
    Stat. Methods Med. Res. 17:207-221), with DeLong's variance. On few images that variance is
    often too small by chance, so a twentieth of it is what Hanley and McNeil (1982) expect for
    exponential scores at this AUROC. Where all images fare alike, as at an AUROC of 1, the ranks
    show no variance at all: there Newcombe's interval is taken, which never collapses to a point.

    (NaN, NaN) for fewer than 2 good or 2 defective images, which show nothing of their scatter.
    """
    marks = [int(label) for label in labels]
    m = sum(marks)
    n = len(marks) - m
    if n < 2 or m < 2:
        return math.nan, math.nan
    found = components(marks, scores)
    a, variance = found.auroc, found.variance
    if variance <= 1e-15 or not 0 < a < 1:
        return newcombe_interval(a, n, m, confidence)
    pairs = (n + m) / 2 - 1
    modelled = a * (1 - a) * (1 + pairs * ((1 - a) / (2 - a) + a / (1 + a))) / (n * m)
    deviation = math.sqrt((1 - _MODELLED) * variance + _MODELLED * modelled)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation / (a * (1 - a))
    logit = math.log(a / (1 - a))
    return _logistic(logit - reach), _logistic(logit + reach)


def _logistic(value: float) -> float:
    # Of a negative number alone, so that no power overflows.
    small = math.exp(-abs(value))
    return 1 / (1 + small) if value >= 0 else small / (1 + small)
