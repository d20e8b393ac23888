"""How many more test images would decide what these leave open."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from patchae.evidence.auroc import Measured
from patchae.evidence.counts import share_interval
from patchae.evidence.paired import Paired

MOST = 100_000
"""More images than this are none that anybody would collect."""

More = tuple[int, int]
"""Good and defective images to be added."""


def to_reach(found: Measured, limit: float, confidence: float) -> More | None:
    """The images after which the interval of an AUROC no longer holds `limit`.

    Supposes that AUROC and scatter stay as they are; a smaller number may do with luck, and a
    greater may be needed without. They go where they help most: in proportion to the scatter of
    each kind (Neyman's allocation), so that a set with few good images asks for good ones.

    None where `MOST` would not do, as when the AUROC lies at the limit itself.
    """

    def decided(n: int, m: int) -> bool:
        low, high = replace(found, n_good=n, n_defect=m).interval(confidence)
        return low >= limit or high < limit

    scatter = (found.good_variance, found.defect_variance)
    return _added((found.n_good, found.n_defect), scatter, decided)


def to_compare(found: Paired, limit: float, confidence: float) -> More | None:
    """The images after which the interval of a difference no longer holds `limit`; as above."""

    def decided(n: int, m: int) -> bool:
        low, high = found.on(n, m).interval(confidence)
        return low >= limit or high < limit

    one, two = found.challenger, found.champion
    scatter = (
        one.good_variance + two.good_variance - 2 * found.good_covariance,
        one.defect_variance + two.defect_variance - 2 * found.defect_covariance,
    )
    return _added((one.n_good, one.n_defect), scatter, decided)


def to_share(found: int, n: int, limit: float, confidence: float) -> int | None:
    """The images after which the interval of a share no longer holds `limit`; as above."""
    share = found / n if n else 0.5

    def decided(more: int) -> bool:
        total = n + more
        low, high = share_interval(round(share * total), total, confidence)
        return low >= limit or high < limit

    return _smallest(decided)


def _added(
    counts: tuple[int, int], scatter: tuple[float, float], decided: Callable[[int, int], bool]
) -> More | None:
    roots = [math.sqrt(max(0.0, one)) for one in scatter]
    together = sum(roots)
    # A kind without scatter on few images has some on many: no kind gets less than a tenth.
    shares = [0.1 + 0.8 * (root / together if together > 1e-9 else 0.5) for root in roots]

    def sizes(more: int) -> tuple[int, int]:
        # No image is given back: where one kind has more than its share, the other gets the rest.
        total = sum(counts) + more
        n = min(max(counts[0], round(total * shares[0])), total - counts[1])
        return n, total - n

    more = _smallest(lambda added: decided(*sizes(added)))
    if more is None:
        return None
    n, m = sizes(more)
    return n - counts[0], m - counts[1]


def _smallest(decided: Callable[[int], bool]) -> int | None:
    """The smallest number up to `MOST` that decides, where every greater one does as well."""
    high = 1
    while not decided(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2  # does not decide, or is 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high
