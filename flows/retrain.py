"""Retrain one product line: snapshot -> validate -> per class train, judge, promote -> report.

The same command after a crash continues where it stopped. A class that fails does not stop the
others; the flow then ends Failed and names it. A verdict of hold or reject is a success: the
question was answered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.again import meant_by
from flows.connection import api_url
from flows.events import announce, expect
from flows.missed import settle_missed
from flows.origin import origin_of
from flows.run_log import run_log
from flows.spread import spread
from flows.stopping import stopping_with_the_flow
from flows.train_class import PATIENT, LineRun, outcome_of, train_and_judge
from patchae.config import Line
from patchae.console import progress_of, record, say
from patchae.dataset.readers import reading
from patchae.dataset.version import Snapshot
from patchae.dataset.version import snapshot as take_snapshot
from patchae.errors import PatchaeError
from patchae.lineage.parts import Trigger
from patchae.preflight import require_stores
from patchae.project import Project, prepare_environment
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking
from patchae.report.site import write_report
from patchae.steps.announce import announcing
from patchae.steps.job import Origin
from patchae.steps.outcome import ClassOutcome, LineFailed, LineOutcome
from patchae.steps.plan import classes_of, open_line


@task(name="snapshot", cache_policy=NO_CACHE)
def snapshot(project: Project) -> Snapshot:
    """Version data/: store what changed and pin it."""
    # Dated as the training that uses it, on whatever machine this runs.
    clock = Ledger.of(project).now
    taken = take_snapshot(project, progress=progress_of("data"), clock=clock)
    say(
        f"data version {taken.version}{' (new)' if taken.changed else ' (as pinned)'}",
        details=f"{taken.images} files, {taken.bytes / 1e6:.1f} MB",
    )
    return taken


@task(name="report", **PATIENT)
def report(
    project: Project, tracking: Tracking, line: Line, outcomes: Sequence[ClassOutcome]
) -> Path:
    """Write the report and show it on Prefect's pages."""
    failed = {one.class_name: one.failed for one in outcomes if one.failed}
    finished = [one.class_name for one in outcomes if not one.failed]
    path = write_report(project, tracking, line, failed, finished)
    create_table_artifact(
        key=f"{_key(line.name)}-results",
        table=[
            {**one.to_dict(), "reasons": ", ".join(one.reasons), "because": one.because}
            for one in outcomes
        ],
        description=f"Line {line.name}: what came of each class",
    )
    create_link_artifact(key=f"{_key(line.name)}-report", link=path.as_uri(), link_text="Report")
    create_markdown_artifact(
        key=f"{_key(line.name)}-mlflow",
        markdown=f"MLflow: `{tracking.uri}`, experiment `{line.name}`",
    )
    return path


@flow(name="retrain", flow_run_name="retrain {line_name}")
def retrain(
    line_name: str,
    *,
    classes: list[str] | None = None,
    root: Path | None = None,
    reason: str | None = None,
    trigger: Trigger | None = None,
    again: str | None = None,
) -> LineOutcome:
    """Retrain a line.

    Args:
        line_name: a line of `lines.yaml`.
        classes: only these of its classes; all by default.
        root: a folder in the project; the current folder by default.
        reason: why, for the lineage record and the ledger; by default as Prefect knows.
        trigger: the same for programs.
        again: the id of a flow run that crashed, in place of which this one runs.

    Raises:
        UsageError, ConfigError: there is no such line or class.
        StoreUnreachable: MLflow, the ledger or the store of images cannot be used.
        NegativeFinding: too many runs in a row have crashed.
        LineFailed: at least one class could not be finished.
    """
    with run_log():
        started_by = None
        if again:
            meant = meant_by(again)
            classes, reason, trigger = meant.classes, meant.reason, meant.trigger
            started_by = meant.started_by
        project, line = open_line(line_name, root)
        if (end := settle_missed(line.schedule)) is not None:
            return cast(LineOutcome, end)  # how the run ends, to Prefect
        prepare_environment(project)
        names = classes_of(project, line, classes)
        origin = origin_of(reason, trigger, started_by)
        record(f"line {line.name}: {', '.join(names)}; {origin.sentence}")
        return _retrained(project, line, names, origin)


def _retrained(project: Project, line: Line, names: list[str], origin: Origin) -> LineOutcome:
    """All of it, from the snapshot to the report."""
    started = time.monotonic()
    with (
        stopping_with_the_flow(),
        announcing(project, line.name, origin) as announcer,
        project.lock(f"retrain-{line.name}"),
        reading(project, names),
    ):
        tracking = Tracking.open(project)
        if origin.work_pool is None:
            require_stores(line.name, tracking, Ledger.of(project))
        else:  # the workers have accounts of their own, and look as well
            tracking.experiment(line.name)
        expect(project)
        taken = snapshot(project)
        version = taken.version
        _tell_others(project, taken, line.name, names)
        run = LineRun(project, line, version, tracking, origin, announcer)
        outcomes = spread(run, names)
        if outcomes is None:  # no worker to send them to
            futures = {name: train_and_judge.submit(run, name) for name in names}
            outcomes = [outcome_of(line, name, future) for name, future in futures.items()]
        path = _reported(project, tracking, line, outcomes)
        if path:
            record(f"report: {path}")
        outcome = LineOutcome(line.name, version, tuple(outcomes), path, time.monotonic() - started)
        if outcome.failed:
            raise LineFailed(outcome)
    return outcome


def _tell_others(project: Project, taken: Snapshot, line: str, names: Sequence[str]) -> None:
    """Have new images trained on that this run has pinned and does not train on itself."""
    if api_url() is None:
        return
    try:
        announce(project, taken, trained={line: names})
    except PatchaeError as error:  # the next snapshot tells it
        say(f"Prefect was not told of new images: {error.what}", logging.WARNING)


def _reported(
    project: Project, tracking: Tracking, line: Line, outcomes: Sequence[ClassOutcome]
) -> str | None:
    """The report; None where it cannot be written, which undoes nothing of what came before."""
    try:
        return str(report(project, tracking, line, outcomes))
    except PatchaeError as error:
        say(
            f"the report was not written: {error.what}; `patchae report` writes it", logging.WARNING
        )
        return None


def _key(name: str) -> str:
    return name.lower().replace("_", "-")  # Prefect's artifact keys know nothing else
