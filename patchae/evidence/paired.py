"""Two models on the same test images: how far their AUROC lie apart, and how sure that is.

    Paired            what the ranks under both models show, with the interval that gates rest on
    bootstrap         the same interval by drawing images again: no formula, to compare with

Both models see the same images, so that what is hard for one is mostly hard for the other: their
errors go together, and the difference is surer than either AUROC.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from patchae.evidence.auroc import Measured, components, midranks

Interval = tuple[float, float]

_SUREST = 0.99
"""Of the correlation of two AUROC, unless both models rank all images alike. Where both err on the
same one or two images and on no other, those alone make it 1, and say little of all others."""


@dataclass(frozen=True)
class Paired:
    """A challenger and the champion, measured on identical images."""

    challenger: Measured
    champion: Measured
    good_covariance: float
    """Of the good images' components under both models."""
    defect_covariance: float
    """Of the defective images' components under both models."""
    alike: bool
    """Whether both models rank all images alike."""

    @classmethod
    def of(
        cls, labels: Sequence[int], challenger: Sequence[float], champion: Sequence[float]
    ) -> Paired:
        """What the scores of both models show.

        Args:
            labels: 1 for defective, 0 for good.
            challenger: its scores, one for each label; higher is more anomalous.
            champion: its scores of the same images, in the same order.

        Raises:
            ValueError: there are fewer than 2 good or 2 defective images.
        """
        one, two = components(labels, challenger), components(labels, champion)
        return cls(
            Measured.from_components(one),
            Measured.from_components(two),
            float(np.cov(one.good, two.good)[0, 1]),
            float(np.cov(one.defective, two.defective)[0, 1]),
            np.array_equal(midranks(np.asarray(challenger)), midranks(np.asarray(champion))),
        )

    @property
    def difference(self) -> float:
        """The challenger's AUROC less the champion's, -1..1."""
        return self.challenger.auroc - self.champion.auroc

    @property
    def covariance(self) -> float:
        """DeLong's covariance of the two AUROC."""
        one = self.challenger
        return self.good_covariance / one.n_good + self.defect_covariance / one.n_defect

    @property
    def correlation(self) -> float:
        """Of the two AUROC, 0..1; 0 where the ranks show none, or a negative one."""
        together = math.sqrt(self.challenger.variance * self.champion.variance)
        if together <= 1e-15:
            return 0.0
        return 1.0 if self.alike else min(max(0.0, self.covariance / together), _SUREST)

    def on(self, n_good: int, n_defect: int) -> Paired:
        """The same scatter, had it been found on so many images."""
        counts = {"n_good": n_good, "n_defect": n_defect}
        return replace(
            self,
            challenger=replace(self.challenger, **counts),
            champion=replace(self.champion, **counts),
        )

    def interval(self, confidence: float = 0.95) -> Interval:
        """Between which values (low, high) the difference on all such images lies, -1..1.

        The intervals of the two AUROC, joined with their correlation, in two ways of which the
        shorter reach is taken. Zou's (2007, Psychol. Methods 12:399-413, eq. 15, MOVER) lets one
        model err upwards and the other downwards. Near an AUROC of 1 those reaches are unequal,
        and models that rank alike would seem to differ; so the second way has both err to the
        same side, the wider one, which is 0 for such. Two perfect results on few images still
        leave room for a difference, where DeLong's variance of it is 0. `make bench-gates`
        measures how often a gate on this interval is wrong.
        """
        (a, low_a, high_a), (b, low_b, high_b) = (
            (one.auroc, *one.interval(confidence)) for one in (self.challenger, self.champion)
        )
        down, up = (a - low_a, b - low_b), (high_a - a, high_b - b)
        alike = max(self._joined(*down), self._joined(*up))
        return (
            self.difference - min(alike, self._joined(down[0], up[1])),
            self.difference + min(alike, self._joined(up[0], down[1])),
        )

    def _joined(self, one: float, other: float) -> float:
        both = one * one + other * other - 2 * self.correlation * one * other
        return math.sqrt(max(0.0, both))

    def delong(self, confidence: float = 0.95) -> Interval:
        """The difference and its deviations to both sides, as DeLong et al. (1988) have it.

        What most tools print. On few images it is too narrow, and a point where both are perfect.
        """
        one, two = self.challenger.variance, self.champion.variance
        deviation = math.sqrt(max(0.0, one + two - 2 * self.covariance))
        reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation
        return self.difference - reach, self.difference + reach


def bootstrap(
    labels: Sequence[int],
    challenger: Sequence[float],
    champion: Sequence[float],
    *,
    confidence: float = 0.95,
    draws: int = 2_000,
    seed: int = 0,
) -> Interval:
    """The difference (low, high) by percentiles of a stratified paired bootstrap.

    Good and defective images are drawn again with replacement, each kind as often as it is there,
    and an image brings its scores under both models (Efron and Tibshirani 1993, chapter 13).

    Raises:
        ValueError: there are fewer than 2 good or 2 defective images.
    """
    marks = np.asarray(labels, bool)
    one, two = np.asarray(challenger, float), np.asarray(champion, float)
    good, defective = np.flatnonzero(~marks), np.flatnonzero(marks)
    random = np.random.default_rng(seed)
    drawn_labels = [0] * len(good) + [1] * len(defective)
    differences = []
    for _ in range(draws):
        drawn = np.concatenate(
            [random.choice(good, len(good)), random.choice(defective, len(defective))]
        )
        differences.append(
            components(drawn_labels, one[drawn]).auroc - components(drawn_labels, two[drawn]).auroc
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)
