"""How well scores tell defective images and pixels from good ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from patchae.intervals import newcombe_interval

_TOUCHING = np.ones((3, 3), int)  # pixels that meet at a corner are of one region


def auroc(labels: Sequence[int] | np.ndarray, scores: Sequence[float] | np.ndarray) -> float:
    """Area under the ROC curve in 0..1; 0.5 is a coin toss.

    The probability that a defective one (label 1) scores above a good one (label 0), ties counted
    half. Not defined without both: NaN.
    """
    from sklearn.metrics import roc_auc_score

    if len(np.unique(np.asarray(labels))) < 2:
        return float("nan")
    return float(roc_auc_score(labels, scores))


def auroc_interval(
    labels: Sequence[int] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Confidence interval (low, high) of the image AUROC, from the number of images alone.

    Says how far the AUROC could lie from this one with other images of the same kind; it knows
    nothing of other seeds. Not defined without good and defective images: (NaN, NaN).
    """
    marks = np.asarray(labels)
    defective = int(marks.sum())
    return newcombe_interval(auroc(labels, scores), len(marks) - defective, defective, confidence)


def aupro(masks: np.ndarray, maps: np.ndarray, limit: float = 0.3) -> float:
    """Area under the per-region overlap curve up to a false-positive rate, as a share of `limit`.

    Bergmann et al. 2021 (The MVTec Anomaly Detection Dataset, IJCV 129:1038-1059, section 5.3):
    at every threshold, the share of each defective region (pixels joined by a side or a corner)
    that lies at or above it, averaged over the regions of all images, each weighing the same;
    against the share of all defect-free pixels that lie there too. Joined by straight lines.

    Args:
        masks: defective pixels (N, S, S), bool; good images have none.
        maps: anomaly maps (N, S, S), higher is more anomalous.
        limit: highest false-positive rate that counts, in (0, 1].

    Returns:
        0..1. NaN if the masks hold no defective or no defect-free pixel.
    """
    from scipy.ndimage import label

    weights = np.zeros(masks.shape, np.float32)  # what a pixel adds to the overlap, once divided
    regions = 0
    for mask, weight in zip(masks, weights, strict=True):
        if mask.any():
            numbers, count = label(mask, structure=_TOUCHING)
            weight[mask] = 1 / np.bincount(numbers.ravel())[numbers[mask]]
            regions += count
    free = ~np.asarray(masks, bool)
    total = int(free.sum())
    if regions == 0 or total == 0:
        return math.nan
    # Below the threshold that lets through more than `limit` of the good pixels nothing counts.
    rank = min(int(limit * total) + 1, total)
    kept = maps >= np.partition(maps[free], total - rank)[total - rank]
    values = maps[kept]
    order = np.argsort(-values)
    last = np.append(np.diff(values[order]) != 0, True)  # one point for equal scores
    rates = np.cumsum(free[kept][order], dtype=np.float64)[last] / total
    overlaps = np.cumsum(weights[kept][order], dtype=np.float64)[last] / regions
    rates, overlaps = np.append(0.0, rates), np.append(0.0, overlaps)
    end = int(np.searchsorted(rates, limit))  # the first point at the limit or past it
    share = (limit - rates[end - 1]) / (rates[end] - rates[end - 1])
    height = overlaps[end - 1] + share * (overlaps[end] - overlaps[end - 1])
    area = np.trapezoid(np.append(overlaps[:end], height), np.append(rates[:end], limit))
    return float(area / limit)


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
