"""Shares of few images: recall, false alarms."""

from __future__ import annotations

import math


def share_interval(found: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Between which values (low, high) a share lies of which `found` of `n` images are an example.

    Clopper and Pearson 1934 (Biometrika 26:404-413): exact, so it holds the truth at least as often
    as it says, whatever the truth is. None of 20 false alarms still allows a rate of 0.168.

    (NaN, NaN) without images.

    Raises:
        ValueError: not 0 <= found <= n.
    """
    if not 0 <= found <= n:
        raise ValueError(f"{found} of {n}: expected a part of the whole")
    if n == 0:
        return math.nan, math.nan
    # The quantile of a beta distribution; `scipy.stats` has it, too, and half a second of imports.
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(found, n - found + 1, tail)) if found else 0.0
    high = float(betaincinv(found + 1, n - found, 1 - tail)) if found < n else 1.0
    return low, high
