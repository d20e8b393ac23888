"""Send the classes of a line to the workers of its pool, and collect what came of them.

Only for a run that a worker itself started: by hand, and with `patchae serve`, classes are tasks of
one process. A run that crashed, since its worker died or lost the server, is sent again; one that
failed is not, since it would fail again.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import NOT_FOUND
from typing import TYPE_CHECKING, Any
from uuid import UUID

from httpx import HTTPError, HTTPStatusError
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from flows.deployments import TRAIN_CLASS
from flows.missed import server_time
from flows.silence import is_silence
from flows.train_class import LineRun
from flows.workers import told
from patchae.console import say
from patchae.settings import settings
from patchae.steps.outcome import ClassOutcome
from patchae.steps.workplace import describe

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

_TRIES = 3
_PAUSES_S = (10, 60)
_POLL_S = 2.0
_PATIENCE_S = 900.0
"""How long the server may be silent."""
_LONG_S = 600.0
"""After so long it is said that a run does not begin."""


@dataclass
class _Sent:
    """Some classes, and the run that has them now."""

    classes: list[str]
    run: UUID | None = None
    tries: int = 0
    due: float = 0.0
    """When it is to be sent (again), on the clock of `time.monotonic`."""
    said: bool = False
    """Whether it was said that no worker takes it."""
    outcomes: dict[str, ClassOutcome] = field(default_factory=dict)
    failed: str | None = None
    """Why those without an outcome have none; None while a run has them."""


def spread(run: LineRun, names: list[str]) -> list[ClassOutcome] | None:
    """Have the classes trained by workers; None where there are none to send them to.

    When it is cancelled or fails, the runs that it sent are cancelled, too.
    """
    if run.origin.work_pool is None:
        return None
    pool = run.line.work_pool
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(f"{TRAIN_CLASS}/{pool}").id
        except ObjectNotFound:
            say(
                f"pool {pool} has no deployment {TRAIN_CLASS}/{pool}: `patchae deploy` makes it",
                logging.WARNING,
            )
            return None
        size = run.line.classes_per_run
        now = time.monotonic()
        sent = [_Sent(names[at : at + size], due=now) for at in range(0, len(names), size)]
        try:
            heard = time.monotonic()
            while open_ := [one for one in sent if one.failed is None and not _done(one)]:
                try:
                    for one in open_:
                        _step(client, deployment, run, one)
                    heard = time.monotonic()
                except HTTPError as error:
                    # What was sent goes on without this run, as long as the server is just silent.
                    if not is_silence(error) or time.monotonic() - heard > _PATIENCE_S:
                        raise
                time.sleep(_POLL_S)
        except BaseException:
            _cancel(client, sent)
            raise
    return [_outcome(run, one, name) for one in sent for name in one.classes]


def _done(one: _Sent) -> bool:
    return set(one.outcomes) >= set(one.classes)


def _step(client: SyncPrefectClient, deployment: UUID, run: LineRun, one: _Sent) -> None:
    """Send what is due, or look how far its run is."""
    if one.run is None:
        if time.monotonic() >= one.due:
            _send(client, deployment, run, one)
        return
    try:
        found = client.read_flow_run(one.run)
    except ObjectNotFound:  # somebody deleted it, or its deployment before it began
        one.failed = "its run was removed from Prefect"
        return
    if found.state is None or not found.state.is_final():
        if found.start_time is None and not one.said and time.monotonic() - one.due > _LONG_S:
            one.said = True
            say(
                f"{found.name} waits for {_LONG_S / 60:.0f} minutes: is there a worker of pool"
                f" {run.line.work_pool}, and do runs of lines hold its places (docs/workers.md)?",
                logging.WARNING,
            )
        return
    new = told(client, one.run)
    for outcome in new.values():
        say(outcome.sentence, logging.ERROR if outcome.failed else logging.INFO)
    one.outcomes |= new
    if _done(one):
        return
    if found.state.is_crashed() and one.tries < _TRIES:
        pause = _PAUSES_S[one.tries - 1]
        say(
            f"{', '.join(one.classes)}: {found.name} crashed, sent again in {pause} s",
            logging.WARNING,
        )
        one.run, one.due = None, time.monotonic() + pause
        return
    one.failed = _why(found)


def _send(client: SyncPrefectClient, deployment: UUID, run: LineRun, one: _Sent) -> None:
    from prefect.states import Scheduled

    origin = run.origin
    parameters: dict[str, Any] = {
        "line_name": run.line.name,
        "classes": one.classes,
        "data_version": run.version,
        "root": None if run.line.data_pool else str(run.project.root.absolute()),
        "project": describe(run.project),
        "name": settings().project or run.project.root.absolute().name,
        "reason": origin.reason,
        "trigger": origin.trigger,
        "started_by": origin.started_by,
        "deployment": origin.deployment,
    }
    # Prefect would date it by this machine's clock, and wait if that is ahead of the server's.
    now = server_time(client)
    # The same call again, since its answer was lost, is the same run. "Retry" on Prefect's pages
    # begins this run once more under its id, and means other runs than those that it sent before.
    begun = f"{origin.flow_run_id}:{flow_run.run_count}"
    try:
        made = client.create_flow_run_from_deployment(
            deployment,
            parameters=parameters,
            state=Scheduled(scheduled_time=now) if now else None,
            idempotency_key=f"{begun}:{one.classes[0]}:{one.tries + 1}",
        )
    except HTTPStatusError as error:
        if error.response.status_code != NOT_FOUND:
            raise
        pool = f"{TRAIN_CLASS}/{run.line.work_pool}"
        one.failed = f"the deployment {pool} was removed; `patchae deploy` makes it"
        return
    one.run, one.tries = made.id, one.tries + 1
    say(f"{', '.join(one.classes)}: sent to pool {run.line.work_pool} as {made.name}")


def _why(found: FlowRun) -> str:
    state = found.state
    said = f": {state.message}" if state and state.message else ""
    return f"run {found.name} ended {state.name if state else 'without a state'}{said}"


def _outcome(run: LineRun, one: _Sent, name: str) -> ClassOutcome:
    known = one.outcomes.get(name)
    return known or ClassOutcome(name, run.line.model_name(name), failed=one.failed)


def _cancel(client: SyncPrefectClient, sent: list[_Sent]) -> None:
    from prefect.states import Cancelling

    for one in sent:
        if one.run is not None and one.failed is None and not _done(one):
            # Each for itself, and why this run ends is what counts.
            with suppress(HTTPError, ObjectNotFound):
                client.set_flow_run_state(one.run, Cancelling())
