"""What a worker does: train some classes of a line, where it is, and tell what came of them.

The outcome of each class is an artifact of the run, since it is asked for on another machine.
"""

from __future__ import annotations

import json
import logging
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from flows.run_log import run_log
from flows.silence import silence_told
from flows.stopping import stopping_with_the_flow
from flows.train_class import PATIENT, LineRun, outcome_of, train_and_judge
from patchae.console import progress_of, say
from patchae.errors import DataError, StoreUnreachable
from patchae.lineage.parts import Trigger
from patchae.lines_file import load_lines
from patchae.preflight import require_stores
from patchae.project import Project, prepare_environment
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking
from patchae.steps.announce import announcing
from patchae.steps.job import Origin
from patchae.steps.outcome import ClassOutcome, LineFailed, LineOutcome
from patchae.steps.tidy import tidy_work
from patchae.steps.workplace import fetched, workplace
from patchae.types import DataVersion

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

_BEGIN: dict[str, Any] = PATIENT | {"retries": 5, "retry_delay_seconds": [2, 10, 30, 60, 60]}
"""Before the first class: nobody sends a run again that failed, so it waits for three minutes."""


@flow(name="train-class", flow_run_name="train {line_name}: {classes}")
def train_class(
    *,
    line_name: str,
    classes: list[str],
    data_version: str,
    root: Path | None,
    project: dict[str, str],
    name: str,
    reason: str = "on demand",
    trigger: Trigger = "person",
    started_by: str | None = None,
    deployment: str | None = None,
) -> None:
    """Train, judge and perhaps promote some classes of a line, of one data version.

    Args:
        line_name: a line of `lines.yaml`.
        classes: some of its classes.
        data_version: what they are trained on.
        root: the project's folder, used if it is there; None where this pool has none.
        project: the project as it travels (`patchae.steps.workplace`), for a machine that has not.
        name: of the project.
        reason: why, for the lineage record and the ledger.
        trigger: what started it.
        started_by: who had it started, if that is known.
        deployment: for which deployment this run is one of several.

    Raises:
        LineFailed: at least one class could not be finished; the others were.
    """
    with run_log():
        version = DataVersion(data_version)
        there = Project(root) if root else None
        shared = there is not None and there.lines_file.is_file()
        place = there if there and shared else workplace(project, name)
        prepare_environment(place)
        line = load_lines(place.lines_file).line(line_name)
        run = FlowRunContext.get()
        origin = Origin(
            reason=reason,
            trigger=trigger,
            started_by=started_by,
            flow_run_id=str(flow_run.id),
            deployment=deployment,
            work_pool=run.flow_run.work_pool_name if run and run.flow_run else None,
        )
        with stopping_with_the_flow(), ExitStack() as held:
            announcer = held.enter_context(announcing(place, line.name, origin))
            tracking = connect(place)
            stores(line.name, tracking, Ledger.of(place))
            lost = {} if shared else _bring(held, place, version, sorted(classes))
            outcomes = [ClassOutcome(one, line.model_name(one), failed=lost[one]) for one in lost]
            here = LineRun(place, line, version, tracking, origin, announcer)
            futures = {one: train_and_judge.submit(here, one) for one in classes if one not in lost}
            outcomes += [outcome_of(line, one, future) for one, future in futures.items()]
        tell(line.name, outcomes)
        if not shared:
            _tidy(place)
        found = LineOutcome(line.name, version, tuple(outcomes), None, 0.0)
        if found.failed:
            raise LineFailed(found)


@task(name="connect", **_BEGIN)
def connect(place: Project) -> Tracking:
    """Open MLflow, which may be starting again just now."""
    return Tracking.open(place)


@task(name="stores", **_BEGIN)
def stores(line: str, tracking: Tracking, ledger: Ledger) -> None:
    """Try what the run needs at its end."""
    require_stores(line, tracking, ledger)


@task(name="images", **_BEGIN)
def bring(held: ExitStack, place: Project, version: DataVersion, classes: list[str]) -> None:
    """Have the images of some classes in a workplace until `held` is closed."""
    held.enter_context(fetched(place, version, classes, progress_of("images")))


def _bring(
    held: ExitStack, place: Project, version: DataVersion, classes: list[str]
) -> dict[str, str]:
    """Have the images of the classes here; why not, of each whose images cannot be had.

    All at once, since that looks through the workplace once; only if one stops the others, in
    halves.
    """
    try:
        bring(held, place, version, classes)
    except DataError as error:
        if len(classes) == 1:
            say(f"{classes[0]}: failed", logging.ERROR, details=str(error))
            return {classes[0]: str(error)}
        half = len(classes) // 2
        first = _bring(held, place, version, classes[:half])
        return first | _bring(held, place, version, classes[half:])
    return {}


def _tidy(place: Project) -> None:
    try:
        tidy_work(place)
    except StoreUnreachable as error:  # the next run does it
        say(f"the workplace was not tidied: {error.what}", logging.WARNING)


@task(name="tell", **PATIENT)
def tell(line: str, outcomes: list[ClassOutcome]) -> None:
    """Leave what came of each class where whoever sent the run will look for it."""
    with silence_told():
        create_table_artifact(
            key=f"{re.sub(r'[^a-z0-9]+', '-', line.lower())}-classes",
            table=[one.to_dict() | {"because": one.because} for one in outcomes],
            description=f"Line {line}: what came of some classes",
        )


def told(client: SyncPrefectClient, run: UUID) -> dict[str, ClassOutcome]:
    """What a run left of each class, by name; nothing if it did not come so far."""
    from prefect.client.schemas.filters import (
        ArtifactFilter,
        ArtifactFilterFlowRunId,
        ArtifactFilterType,
    )

    found: dict[str, ClassOutcome] = {}
    # Prefect tells 200 artifacts at most, and a run leaves a note on every class, too.
    asked = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[run]), type=ArtifactFilterType(any_=["table"])
    )
    for artifact in client.read_artifacts(artifact_filter=asked):
        if (artifact.key or "").endswith("-classes"):
            rows: list[dict[str, Any]] = json.loads(str(artifact.data))
            found |= {row["class"]: _outcome(row) for row in rows}
    return found


def _outcome(row: dict[str, Any]) -> ClassOutcome:
    name, reasons = row.pop("class"), row.pop("reasons")
    return ClassOutcome(class_name=name, reasons=tuple(reasons), **row)
