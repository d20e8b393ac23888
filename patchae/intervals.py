"""How far a measured number may lie from the true one, given how little was measured."""

from __future__ import annotations

import math
from statistics import NormalDist


def newcombe_interval(
    estimate: float, good: int, defective: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval (low, high) of an AUROC measured on `good` and `defective` images.

    Newcombe 2006 (Statistics in Medicine 25:559-573), method 5: the values t in 0..1 with
    |t - estimate| <= z s(t), where s(t) is Hanley and McNeil's (1982) deviation for exponential
    scores, with (good + defective) / 2 - 1 in place of both their good - 1 and defective - 1. As
    s is taken at the limit and not at the estimate, the interval of a perfect AUROC is no point.
    """
    if math.isnan(estimate) or good < 1 or defective < 1:
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    others = (good + defective) / 2 - 1

    def width(t: float) -> float:
        """z s(t); 0 at 0 and at 1."""
        spread = 1 + others * ((1 - t) / (2 - t) + t / (1 + t))
        return z * math.sqrt(max(0.0, t * (1 - t) * spread / (good * defective)))

    def limit(end: float) -> float:
        """Where the distance to the estimate outgrows the width, on the way to `end`."""
        if estimate == end:
            return end
        # At 0 and 1 the width is 0 like the distance, so the way starts a step inside.
        start = min(max(estimate, 1e-12), 1 - 1e-12)
        inside, outside = start, end
        # By halves: as exact as numbers are, and without the start of `scipy.optimize`.
        while (middle := (inside + outside) / 2) not in (inside, outside):
            if abs(middle - estimate) <= width(middle):
                inside = middle
            else:
                outside = middle
        return inside

    return limit(0.0), limit(1.0)
