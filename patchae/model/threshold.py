"""The threshold: from the scores of good parts that were not learned, and what it promises."""

from __future__ import annotations

import math
from collections.abc import Sequence

FEW = 30
"""Fewer good images than this: the threshold is weak, and the model says so."""


def conformal_threshold(scores: Sequence[float], false_alarm_rate: float) -> float:
    """The threshold above which a good part scores at most `false_alarm_rate` of the time.

    Split conformal prediction: the ceil((n + 1)(1 - rate))-th smallest of n calibration scores
    holds the rate on average over exchangeable data. Where n is too small for the rate (n = 40
    cannot show 2 %) it is the largest score, which holds 1 / (n + 1).
    """
    return sorted(scores)[_rank(len(scores), false_alarm_rate) - 1]


def false_alarm_interval(count: int, false_alarm_rate: float) -> list[float]:
    """Between which rates the false alarms of this threshold lie, with probability 0.95.

    The share of good parts below the k-th smallest of n scores is distributed as
    Beta(k, n + 1 - k), whatever the scores are (Vovk 2012, arXiv 1209.2673).

    Args:
        count: number n of calibration scores.
        false_alarm_rate: the one asked for, 0..1.
    """
    from scipy.stats import beta

    rank = _rank(count, false_alarm_rate)
    low, high = beta(count + 1 - rank, rank).ppf([0.025, 0.975])
    return [float(low), float(high)]


def weak_threshold(count: int) -> str:
    """What to tell about a class with few good images."""
    return (
        f"only {count} good training images: few calibrate the threshold, so false alarms may be"
        f" far more frequent than asked for; {FEW} or more are better"
    )


def _rank(count: int, false_alarm_rate: float) -> int:
    return min(math.ceil((count + 1) * (1 - false_alarm_rate)), count)
