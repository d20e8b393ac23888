"""Image AUROC once more, in plain Python.

Independent of `patchae.model` and `patchae.evidence` on purpose: an audit that used the code under
audit would repeat its mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby


def image_auroc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Chance that a defective image scores above a good one, ties counting half; 0..1.

    From the rank sum of the defective images (Mann and Whitney 1947, with mean ranks for ties).
    NaN when there are no good or no defective images.
    """
    positive = sum(labels)
    pairs = positive * (len(labels) - positive)
    if not pairs:
        return math.nan
    rank_sum, below = 0.0, 0
    ordered = sorted(zip(scores, labels, strict=True))
    for _, tied in groupby(ordered, key=lambda pair: pair[0]):
        group = [label for _, label in tied]
        rank_sum += sum(group) * (below + (len(group) + 1) / 2)  # their mean rank, from 1
        below += len(group)
    return (rank_sum - positive * (positive + 1) / 2) / pairs
