"""The table `scores.csv`: what a model said of every test image."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from io import StringIO

SCORES_FILE = "scores.csv"
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
