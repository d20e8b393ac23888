"""How well scores tell defective images and pixels from good ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def auroc(labels: Sequence[int] | np.ndarray, scores: Sequence[float] | np.ndarray) -> float:
    """Area under the ROC curve in 0..1; 0.5 is a coin toss.

    The probability that a defective one (label 1) scores above a good one (label 0), ties counted
    half. Not defined without both: NaN.
    """
    from sklearn.metrics import roc_auc_score

    if len(np.unique(np.asarray(labels))) < 2:
        return float("nan")
    return float(roc_auc_score(labels, scores))


def decisions(
    labels: Sequence[int], alarms: Sequence[bool], defects: Sequence[str]
) -> dict[str, Any]:
    """Recall, false-alarm rate and recall per kind of defect at the deployed threshold.

    Args:
        labels: 1 for defective, 0 for good.
        alarms: whether the score lies above the threshold.
        defects: kind of defect of each image; `good` for good ones.

    Returns:
        `recall` and `false_alarm_rate` (0..1), `n_good`, `n_defect`, and `recall_by_defect`
        as {kind: {"found", "n"}}.
    """
    bad = [alarm for label, alarm in zip(labels, alarms, strict=True) if label]
    good = [alarm for label, alarm in zip(labels, alarms, strict=True) if not label]
    kinds: dict[str, dict[str, int]] = {}
    for label, alarm, kind in sorted(zip(labels, alarms, defects, strict=True), key=lambda r: r[2]):
        if label:
            tally = kinds.setdefault(kind, {"found": 0, "n": 0})
            tally["n"] += 1
            tally["found"] += int(alarm)
    return {
        "recall": sum(bad) / len(bad) if bad else float("nan"),
        "false_alarm_rate": sum(good) / len(good) if good else float("nan"),
        "n_good": len(good),
        "n_defect": len(bad),
        "recall_by_defect": kinds,
    }
