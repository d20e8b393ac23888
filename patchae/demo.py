"""`patchae demo`: the main job on rendered images, for somebody who has none at hand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from patchae.console import progress_of, say
from patchae.lineage.audit import Audit
from patchae.project import Project
from patchae.steps.outcome import LineOutcome

LINE = "sample"


@dataclass(frozen=True)
class Demo:
    """What came of the demo."""

    outcome: LineOutcome
    audits: tuple[Audit, ...]
    """One per champion."""
    seconds: float

    @property
    def audit(self) -> Literal["intact", "broken"]:
        """Whether every champion's chain holds; broken as well when there is no champion."""
        holds = bool(self.audits) and all(one.state == "intact" for one in self.audits)
        return "intact" if holds else "broken"

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, as `docs/json.md` documents it."""
        told = self.outcome.to_dict()
        models = [
            {key: one[key] for key in ("model", "version", "image_auroc", "verdict", "reasons")}
            for one in told["models"]
        ]
        return {
            "line": told["line"],
            "data_version": told["data_version"],
            "models": models,
            "audit": self.audit,
            "report": told["report"],
            "seconds": round(self.seconds, 1),
        }


def run_demo(project: Project) -> Demo:
    """Render the sample, retrain its line, audit every champion.

    Raises:
        DataError: data/ holds other files under the names of the sample's classes.
        LineFailed: a class could not be finished.
        StoreUnreachable: MLflow, the ledger or the store of images cannot be used.
    """
    from patchae.dataset.sample import render
    from patchae.lineage.gather import audit_model
    from patchae.lines_file import load_lines
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import champion_of
    from patchae.registry.tracking import Tracking

    started = time.monotonic()
    line = load_lines(project.lines_file).line(LINE)
    render(project.data, progress=progress_of("sample"))
    say("starting Prefect; the first time takes half a minute")
    from flows.engine import reach_prefect
    from flows.retrain import retrain

    reach_prefect()
    outcome: LineOutcome = retrain(LINE, root=project.root, reason="demo")
    tracking, ledger = Tracking.open(project), Ledger.of(project)
    models = [line.model_name(one.class_name) for one in outcome.classes]
    audits = tuple(
        audit_model(project, tracking, model)
        for model in models
        if champion_of(ledger.entries(model)).current
    )
    return Demo(outcome, audits, time.monotonic() - started)
