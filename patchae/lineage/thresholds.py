"""The link `threshold`: the threshold that a version decides by is the one that the ledger says.

Returns what it found intact, or raises `Broken` or `NotCheckable`.
"""

from __future__ import annotations

import math

from patchae.lineage.material import Broken, Facts, reachable
from patchae.registry.operating import conformal
from patchae.registry.standing import thresholds
from patchae.registry.threshold import THRESHOLD_TAG, expected_tags

_TOLERANCE = 1e-9


def threshold(facts: Facts) -> str:
    """Each move follows the one before and is what it says it is; MLflow's tag shows the last."""
    trained = facts.record.evaluation.threshold
    rows, then = thresholds(facts.entries, facts.version), facts.entries_then
    current = trained
    for row in rows:
        seq, body = row.seq, row.body
        if body["from"] != current:
            raise Broken(f"row {seq}: moved the threshold from {body['from']}, it was {current}")
        current = body["to"]
        if not isinstance(current, int | float) or not math.isfinite(current):
            raise Broken(f"row {seq}: {current} is no threshold")
        if body["why"] not in {"set", "false_alarms", "reset"}:
            raise Broken(f"row {seq}: moved the threshold for no known cause")
        if body["why"] == "reset" and current != trained:
            raise Broken(f"row {seq}: reset to {current}, training set {trained}")
        if body["why"] == "false_alarms" and facts.calibration:
            promised = conformal(facts.calibration, body["rate"])
            if abs(current - promised) > _TOLERANCE:
                raise Broken(f"row {seq}: {promised} promises {body['rate']}, not {current}")
    tags = reachable(facts.material.tags, "MLflow")
    expected = expected_tags(facts.entries, facts.version)
    if tags and tags.get(THRESHOLD_TAG) not in expected:
        raise Broken(
            f"tag {THRESHOLD_TAG}: MLflow says {tags.get(THRESHOLD_TAG)}, the ledger says"
            f" {current if rows else 'nothing: it was never moved'}"
        )
    if not rows:
        return f"{trained}, as training set it"
    told = f"{current}, since row {rows[-1].seq} at {rows[-1].time}; training set {trained}"
    if facts.material.at is None:
        return told
    before = thresholds(then, facts.version)
    at = before[-1].body["to"] if before else trained
    return f"{at} at {facts.material.at.isoformat()}; now {told}"
