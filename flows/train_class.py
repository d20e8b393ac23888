"""One class: validate -> train -> evaluate -> register -> gate -> promote or hold.

Every task finds what an earlier run finished and does only the rest, so a class can be started
again after a crash at any moment. What passes (a server that restarts) is tried again; what does
not (bad data, a defect) fails at once.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture

from flows.alone import alone
from flows.slots import machine_slot
from flows.stopping import unless_stopped, writing
from patchae.config import Line
from patchae.console import progress_of, record, say
from patchae.dataset.readers import reading
from patchae.errors import PatchaeError, StoreUnreachable
from patchae.preflight import require_model
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import LEAVING, to_train_again
from patchae.registry.tracking import Tracking, Version
from patchae.steps import summary
from patchae.steps.announce import Announcer, ClassNews
from patchae.steps.decide import decide_class
from patchae.steps.enrol import enrol_class, read_lineage
from patchae.steps.job import ClassJob, Origin
from patchae.steps.learn import evaluate_class, train_class
from patchae.steps.outcome import ClassOutcome, judged
from patchae.steps.plan import training_slot
from patchae.steps.prepare import check
from patchae.steps.prepare import job as job_of
from patchae.types import DataVersion


def passes(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failure is of the kind that goes away by itself."""
    return isinstance(state.result(raise_on_failure=False), StoreUnreachable)


PATIENT: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_condition_fn": passes,
    "cache_policy": NO_CACHE,
}


@dataclass(frozen=True)
class LineRun:
    """One run over a line: what its classes share."""

    project: Project
    line: Line
    version: DataVersion
    tracking: Tracking
    origin: Origin
    announcer: Announcer


@task(name="validate", task_run_name="validate {class_name}", cache_policy=NO_CACHE)
def validate(run: LineRun, class_name: str) -> ClassJob:
    """Read and check the images of the class; fails closed."""
    progress = unless_stopped(progress_of(class_name))
    checked = check(run.project, run.line, class_name, run.version, progress)
    record(summary.validated(checked.validation))
    for warning in checked.validation.warnings:
        where = f" ({warning.paths[0]})" if warning.paths else ""
        say(
            f"{class_name}: warning {warning.code}, {warning.found} found{where}",
            details=warning.title,
            level=logging.WARNING,
        )
    return job_of(run.project, run.line, checked, run.origin)


@task(name="train", task_run_name="train {job.class_name}", **PATIENT)
def train(job: ClassJob) -> bool:
    """Train the model unless its key was trained before; whether it was trained now."""
    with machine_slot(job.origin.work_pool):
        now = train_class(job, unless_stopped(progress_of(job.class_name)))
    record(summary.trained(job) if now else f"{job.class_name}: was trained before, not again")
    return now


@task(name="evaluate", task_run_name="evaluate {job.class_name}", **PATIENT)
def evaluate(job: ClassJob) -> dict[str, Any]:
    """Score the test images; a gate may ask how long that takes, so no training runs beside it."""
    with machine_slot(job.origin.work_pool):
        metrics = evaluate_class(job, unless_stopped(progress_of(job.class_name)))
    record(summary.evaluated(job))
    return metrics


@task(name="register", task_run_name="register {job.class_name}", **PATIENT)
def register(job: ClassJob, tracking: Tracking, ledger: Ledger) -> Version:
    """Log the run and register the version."""
    with writing():
        version = enrol_class(job, tracking, ledger)
    record(f"{job.class_name}: version {version.version} of {job.model} is registered")
    return version


@task(name="gate", task_run_name="gate {job.class_name}", **PATIENT)
def gate(job: ClassJob, version: Version, tracking: Tracking, ledger: Ledger) -> Entry:
    """Judge the version and promote it when the verdict says so."""
    with writing():
        verdict = decide_class(job, version, tracking, ledger)
    record(summary.standing(job.model, version.version, ledger.entries(job.model)))
    return verdict


@task(name="class", task_run_name="class {class_name}", cache_policy=NO_CACHE)
def train_and_judge(run: LineRun, class_name: str) -> ClassOutcome:
    """All steps of one class."""
    model = run.line.model_name(class_name)
    with (
        run.announcer.of_class(model, class_name, run.version) as news,
        run.project.using(f"work-{model}"),  # so that no tidying takes it away
        reading(run.project, [class_name]),  # though whoever sent this to a worker be gone
    ):
        return _train_and_judge(run, class_name, news)


def _train_and_judge(run: LineRun, class_name: str, news: ClassNews) -> ClassOutcome:
    tracking = run.tracking
    ledger = Ledger.of(run.project, flow_run=run.origin.flow_run_id)
    job = validate(run, class_name)
    news.checked(job)
    trained = _trained_now(job, tracking, ledger)
    version = register(job, tracking, ledger)
    verdict = gate(job, version, tracking, ledger)
    news.judged(job.model, version.version, verdict.body["outcome"])
    outcome = judged(job, _metrics(tracking, version), verdict, trained=trained)
    try:
        _note(job, version, verdict, outcome)
    except Exception as error:  # noqa: BLE001 - the verdict stands, whoever cannot be told of it
        say(
            f"{job.class_name}: no note on Prefect's pages: {type(error).__name__}: {error}",
            logging.WARNING,
        )
    say(outcome.sentence)
    return outcome


def _trained_now(job: ClassJob, tracking: Tracking, ledger: Ledger) -> bool:
    """Train and score the class unless that was done before; whether it was trained now."""
    with alone(job):
        gone = to_train_again(ledger.entries(job.model, kinds=LEAVING))
        if tracking.with_key(job.model, job.key, gone) is not None:
            return False
        require_model(job.model, tracking, ledger)
        with training_slot():  # for both, or the first class would wait for the last one's training
            trained = train(job)
            evaluate(job)
            return trained


def _metrics(tracking: Tracking, version: Version) -> dict[str, Any]:
    """What was measured, for people to read; nothing where MLflow does not answer just now."""
    try:
        found: dict[str, Any] = read_lineage(tracking, version).get("evaluation", {})
    except StoreUnreachable as error:
        say(f"{version.model}: its metrics are not shown: {error.what}", logging.WARNING)
        return {}
    return found


def _note(job: ClassJob, version: Version, verdict: Entry, outcome: ClassOutcome) -> None:
    """An artifact of the flow run that leads to the ledger and to MLflow; they lead back to it."""
    create_markdown_artifact(
        f"**{job.model}/{version.version}: {outcome.verdict}**: {outcome.because}\n\n"
        f"- row {verdict.seq} of the ledger, digest `{verdict.digest}`\n"
        f"- MLflow run `{version.run_id}`\n"
        f"- data version `{job.data_version}`\n",
        key=re.sub(r"[^a-z0-9]+", "-", f"verdict-{job.model}".lower()),
        description=f"Verdict on {job.model}",
    )


def outcome_of(line: Line, name: str, future: PrefectFuture[ClassOutcome]) -> ClassOutcome:
    """What came of a class. One that failed leaves the others alone."""
    found: Any = future.result(raise_on_failure=False)
    if isinstance(found, ClassOutcome):
        return found
    told = str(found) if isinstance(found, PatchaeError) else f"{type(found).__name__}: {found}"
    failed = ClassOutcome(name, line.model_name(name), failed=told)
    say(f"{name}: failed", logging.ERROR, details=told)
    return failed
