"""Image AUROC once more, and the scores it comes from, in plain Python.

Independent of `patchae.model` on purpose: an audit that used the code under audit would repeat its
mistakes.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import groupby

HEADER = ("path", "sha256", "defect", "label", "score", "decision")


@dataclass(frozen=True)
class Scored:
    """One test image and what the model said of it."""

    path: str
    sha256: str
    defect: str
    label: int  # 1: defective
    score: float  # higher: more anomalous
    decision: int  # 1: alarm


def read_scores(text: str) -> list[Scored]:
    """The rows of `scores.csv`.

    Raises:
        ValueError: the text is not such a table, or a value in it is not possible.
    """
    lines = list(csv.reader(StringIO(text, newline="")))
    if not lines or tuple(lines[0]) != HEADER:
        raise ValueError(f"expected the header {','.join(HEADER)}")
    return [_scored(number, line) for number, line in enumerate(lines[1:], start=2)]


def _scored(number: int, line: list[str]) -> Scored:
    if len(line) != len(HEADER):
        raise ValueError(f"line {number}: expected {len(HEADER)} values")
    path, sha256, defect, label, score, decision = line
    if label not in ("0", "1") or decision not in ("0", "1"):
        raise ValueError(f"line {number}: label and decision: expected 0 or 1")
    if not math.isfinite(float(score)):
        raise ValueError(f"line {number}: score: expected a finite number")
    return Scored(path, sha256, defect, int(label), float(score), int(decision))


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
