"""The aliases of models in memory, and rows as the flows write them."""

from __future__ import annotations

from typing import Any

from patchae.config import Gates
from patchae.registry.gates import Evidence, judge
from patchae.registry.ledger import Entry, Ledger
from patchae.registry.standing import champion_of

MODEL = "sample.bolt"


class MemoryAliases:
    """What MLflow keeps of aliases. `calls` counts changes."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, str]] = {}
        self.calls = 0

    def get(self, model: str) -> dict[str, str]:
        return dict(self.models.get(model, {}))

    def set(self, model: str, alias: str, version: str) -> None:
        self.calls += 1
        self.models.setdefault(model, {})[alias] = version

    def delete(self, model: str, alias: str) -> None:
        self.calls += 1
        del self.models[model][alias]


def evidence(**changes: Any) -> Evidence:
    """Evidence that promotes, unless changed."""
    values: dict[str, Any] = {
        "n_good": 20,
        "n_defect": 30,
        "image_auroc": 0.97,
        "champion": None,
        "champion_image_auroc": None,
        "validation_passed": True,
        "lineage_complete": True,
    }
    return Evidence(**{**values, **changes})


def move(to: str, **changes: Any) -> dict[str, Any]:
    """The body of a promotion to a version, unless changed."""
    body = {"to": to, "from": None, "why": "promoted", "reason": "", "verdict": None}
    return {**body, **changes}


def judged(ledger: Ledger, version: str, **changes: Any) -> Entry:
    """Judge a version against the champion of the moment and write the verdict."""
    champion = champion_of(ledger.entries(MODEL)).current
    rival = {"champion": champion, "champion_image_auroc": 0.95 if champion else None}
    verdict = judge(evidence(**{**rival, **changes}), Gates())
    body = verdict.to_body(
        version, scores_sha256="a" * 64, champion_scores_sha256="b" * 64 if champion else None
    )
    return ledger.append("verdict", MODEL, body, "tester")
