"""The operating table: what the test images show at other thresholds than the one in use.

Most thresholds come from the calibration scores, good parts that were neither learned nor tested,
so what the test images show at them is as honest as at the trained threshold. Two are chosen on the
test images themselves: at those the same images flatter, and each row says where it comes from.
Counts alone are kept; `Alarms.interval` says how sure they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from patchae.evidence.scores import Scored

Source = Literal["trained", "calibration", "test_images", "moved"]

RATES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
"""Promised shares of false alarms that the table has a row for, as far as calibration can tell."""


class Operating(BaseModel):
    """What the test images show at one threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    threshold: float
    source: Source
    promised: float | None
    """Share of good parts that calibration allows above it; None: chosen on the test images."""
    false_alarms: int = Field(ge=0)
    """Good test images above it."""
    detected: dict[str, int]
    """Defective test images above it, by kind."""


def table(
    rows: Sequence[Scored], trained: float, rate: float, calibration: Sequence[float]
) -> tuple[Operating, ...]:
    """The rows of the table, the lowest threshold first; each threshold once.

    Args:
        rows: scores of the test images.
        trained: the threshold that training set.
        rate: the share of false alarms that it was asked for, 0..1.
        calibration: scores of the good images that set it; empty: they are not known.
    """
    chosen: dict[float, tuple[Source, float | None]] = {}
    least = 1 / (len(calibration) + 1)  # so many scores cannot promise less
    if calibration:
        for promise in sorted(RATES):
            threshold = conformal(calibration, promise)
            chosen.setdefault(threshold, ("calibration", max(promise, least)))
    chosen[trained] = ("trained", max(rate, least) if calibration else rate)
    good = [row.score for row in rows if not row.label]
    defective = [row.score for row in rows if row.label]
    if good:  # the lowest at which no good test image raises an alarm
        chosen.setdefault(max(good), ("test_images", None))
    if defective:  # the highest at which every defective test image does
        chosen.setdefault(math.nextafter(min(defective), -math.inf), ("test_images", None))
    return tuple(
        counted(rows, threshold, source, promised)
        for threshold, (source, promised) in sorted(chosen.items())
    )


def counted(
    rows: Sequence[Scored], threshold: float, source: Source, promised: float | None
) -> Operating:
    """One row of the table: the test images above a threshold, by kind."""
    above: dict[str, int] = {}
    for row in rows:
        if row.label:
            above[row.defect] = above.get(row.defect, 0) + (row.score > threshold)
    false = sum(row.score > threshold for row in rows if not row.label)
    return Operating(
        threshold=threshold,
        source=source,
        promised=promised,
        false_alarms=false,
        detected=dict(sorted(above.items())),
    )


def conformal(calibration: Sequence[float], rate: float) -> float:
    """The threshold that promises `rate`, exactly as training sets it."""
    from patchae.model.threshold import conformal_threshold

    return conformal_threshold(calibration, rate)


def calibration_in(facts: Mapping[str, object]) -> list[float]:
    """The calibration scores among the facts of a model; empty where they hold none."""
    scores = facts.get("calibration_scores")
    return [float(score) for score in scores] if isinstance(scores, list) else []
