"""Whether recent images differ from the reference: by how much, and how likely by chance.

Each statistic is compared by the rank test of Mann and Whitney, which assumes nothing of its
distribution and is little moved by a few defective parts. Three things keep false alarms at bay:

- Images that follow each other are alike. What n of them are worth is estimated from the
  autocorrelation of their ranks (Bartlett 1946, Kendall 1954), on the safe side by one standard
  error; that it is an estimate is allowed for by Student's t (Welch 1947, Satterthwaite 1946).
- Several statistics, classes and looks are many chances to be wrong. A line may have so many false
  alarms a year; a look's share of that is divided among its statistics (Holm 1979).
- With many images the smallest difference is significant. One that matters is at least so many of
  the reference's own standard deviations, robustly taken.

Drift that was found in two successive looks, which have no image in common, is confirmed, and so is
one whose chance is below the square of a look's level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patchae.drift.finding import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALARMS = "alarms"
_DAYS = 365.0


def level(false_alarms_per_year: float, classes: int, earlier: int = 0) -> float:
    """The chance of a false alarm that one look at one class may have.

    Law: over all looks of a day, however many, the chances add up to no more than the day's share,
    since the squares of 1/1, 1/2, 1/3, ... add up to that of pi over 6.

    Args:
        false_alarms_per_year: that the line may have.
        classes: of the line.
        earlier: looks at the class that were made on the same day before.
    """
    day = false_alarms_per_year / (_DAYS * max(1, classes))
    return float(min(0.5, day) * 6 / (np.pi * (1 + earlier)) ** 2)


def compare(
    reference: Mapping[str, NDArray[np.float64]],
    recent: Mapping[str, NDArray[np.float64]],
    *,
    alarms: tuple[float, NDArray[np.bool_]] | None,
    level: float,
    smallest_effect: float,
) -> tuple[Reading, ...]:
    """One reading for each statistic.

    Args:
        reference: values of the reference images by statistic.
        recent: the same of the recent images, oldest first.
        alarms: the highest false-alarm rate that the champion's calibration allows for, and
            recent decisions, oldest first; None where there are no decisions.
        level: see `level`.
        smallest_effect: that matters, in standard deviations of the reference.
    """
    names = [*reference]
    raw = [rank_test(reference[name], recent[name]) for name in names]
    rate = None
    if alarms is not None:
        allowed, decided = alarms
        names.append(ALARMS)
        raw.append(_more_than(allowed, decided))
        rate = float(decided.mean()) if len(decided) else 0.0
    corrected = holm(raw)
    readings = []
    for name, p in zip(names, corrected, strict=True):
        if name == ALARMS and alarms is not None and rate is not None:
            effect = (rate - alarms[0]) / max((alarms[0] * (1 - alarms[0])) ** 0.5, 1e-9)
            middle, now = alarms[0], rate
        else:
            effect = effect_of(reference[name], recent[name])
            middle, now = float(np.median(reference[name])), float(np.median(recent[name]))
        matters = abs(effect) >= smallest_effect
        readings.append(Reading(name, middle, now, effect, p, bool(p < level and matters)))
    return tuple(readings)


def effect_of(reference: NDArray[np.float64], recent: NDArray[np.float64]) -> float:
    """By how many standard deviations of the reference its median and that of the recent differ.

    The deviation is robust: 1.4826 times the median distance from the median; but no less than a
    thousandth of the median, for a camera that always gives the same.
    """
    middle = float(np.median(reference))
    deviation = 1.4826 * float(np.median(np.abs(reference - middle)))
    floor = max(abs(middle) * 1e-3, 1e-6)
    return (float(np.median(recent)) - middle) / max(deviation, floor)


def rank_test(reference: NDArray[np.float64], recent: NDArray[np.float64]) -> float:
    """Two-sided chance of ranks as far apart, with recent images counted as what they are worth."""
    ranked = _Ranked.of(reference, recent)
    return ranked.chance(ranked.apart, ranked.worth)


def blind(
    reference: Mapping[str, NDArray[np.float64]],
    recent: Mapping[str, NDArray[np.float64]],
    level: float,
) -> tuple[str, ...]:
    """Statistics that no change, however great, would move below the level: `rank_test` of series
    that lie wholly apart, when the recent images are worth as few as these are. Those that it would
    not move although each image counted in full are not meant: there the reference is too small."""
    found = []
    for name in reference:
        ranked = _Ranked.of(reference[name], recent[name])
        chances = [
            (len(reference) + 1) * ranked.chance(ranked.most, worth)
            for worth in (ranked.worth, float(ranked.m))
        ]
        if chances[1] < level <= chances[0]:
            found.append(name)
    return tuple(found)


@dataclass(frozen=True)
class _Ranked:
    """The ranks of two series together."""

    n: int
    m: int
    apart: float
    """Between the rank sum of the recent ones and what it would be on average."""
    most: float
    """The same, if the series had no value in common."""
    variance: float
    """Of the rank sum, if all were independent."""
    worth: float
    """As how many independent ones the recent ones count."""

    @classmethod
    def of(cls, reference: NDArray[np.float64], recent: NDArray[np.float64]) -> _Ranked:
        from scipy.stats import rankdata

        n, m = len(reference), len(recent)
        if not n or not m:
            return cls(n, m, 0.0, 0.0, 0.0, 1.0)
        ranks = rankdata(np.concatenate([reference, recent]))
        u = float(ranks[n:].sum()) - m * (m + 1) / 2
        _, ties = np.unique(ranks, return_counts=True)
        total = n + m
        correction = float((ties.astype(float) ** 3 - ties).sum()) / (total * (total - 1))
        variance = max(0.0, n * m / 12 * (total + 1 - correction))
        middle = n * m / 2
        apart = max(0.0, abs(u - middle) - 0.5)
        return cls(n, m, apart, middle - 0.5, variance, effective(ranks[n:]))

    def chance(self, apart: float, worth: float) -> float:
        """Two-sided, of rank sums as far apart, by Student's t."""
        from scipy.special import stdtr

        if self.variance <= 0:
            return 1.0
        # Means of n and m values vary by 1/n and 1/m: n of n + m parts of the variance are due to
        # the recent images, and that part grows as they are worth less.
        due = self.n * self.m / worth
        inflated = self.variance * (self.m + due) / (self.m + self.n)
        freedom = max(1.0, worth - 1) * ((self.m + due) / due) ** 2
        return float(2 * stdtr(freedom, -apart / inflated**0.5))


def effective(series: NDArray[np.float64]) -> float:
    """How many independent values a series in time is worth: 1 to its length.

    The lower of two estimates: one from all lags whose correlation is more than chance, and one
    from the first lag alone, corrected for its bias and raised by its standard error. Values that
    are all equal say nothing of their dependence, and count in full.
    """
    count = len(series)
    centred = series - series.mean()
    power = float(centred @ centred)
    if count < 8 or power <= 0:
        return float(count)
    first = float(centred[:-1] @ centred[1:]) / power
    first = min(0.99, max(0.0, first + (1 + 3 * first) / count))
    first = min(0.99, first + ((1 - first**2) / count) ** 0.5)
    worth = 1.0
    for lag in range(1, count // 4 + 1):
        together = float(centred[:-lag] @ centred[lag:]) / power
        if together <= 2 / count**0.5:  # no more than chance
            break
        worth += 2 * together
    return float(max(1.0, min(count / worth, count * (1 - first) / (1 + first))))


def _more_than(allowed: float, decided: NDArray[np.bool_]) -> float:
    """Chance of such a share of alarms or more if each decision is one with the allowed rate."""
    from scipy.special import betainc

    if not decided.any():
        return 1.0
    asked = effective(decided.astype(np.float64))
    hits = asked * float(decided.mean())
    return float(betainc(hits, asked - hits + 1, min(max(allowed, 1e-6), 1 - 1e-6)))


def holm(chances: Sequence[float]) -> list[float]:
    """Chances corrected for their number, in their order (Holm 1979)."""
    order = np.argsort(chances)
    found, highest = [1.0] * len(chances), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[index]))
        found[index] = highest
    return found


def confirmed(
    now: Sequence[Reading], before: Sequence[Reading] | None, level: float
) -> tuple[str, ...]:
    """The statistics whose drift is confirmed: found twice in a row, or once beyond doubt."""
    earlier = {one.name: one for one in before or () if one.drifted}
    return tuple(
        one.name
        for one in now
        if one.drifted
        and (
            one.p < level**2
            or (one.name in earlier and (one.effect > 0) == (earlier[one.name].effect > 0))
        )
    )
