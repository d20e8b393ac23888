"""Runs of a schedule that could not begin when they were due, as nobody was there to run them.

Prefect keeps every one of them, and its workers would begin all, in no order. The first that begins
settles it for its deployment: by `schedule.missed` of `lines.yaml` it does the work of all (`once`)
or ends as well (`skip`), and those that were due before it was taken end as cancelled, with a
message. What a person or an event has started is never ended here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from httpx import HTTPError
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

from patchae.config import Schedule
from patchae.console import record, say

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State

GRACE = timedelta(seconds=60)
"""A worker takes a run within some seconds of its time; one taken later than this was missed."""
_PAGE = 200


def server_time(client: SyncPrefectClient) -> datetime | None:
    """Return the time by the clock of Prefect's server, in seconds; None: it does not tell."""
    told = client.hello().headers.get("date")
    return parsedate_to_datetime(told) if told else None


def settle_missed(schedule: Schedule | None) -> State[Any] | None:
    """End what this run's deployment has missed.

    Args:
        schedule: that of `lines.yaml`; None where it has none, and runs of it are left.

    Returns:
        The state with which this run must end, too; None: it goes on.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or not run.auto_scheduled or run.deployment_id is None:
        return None
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            return _settled(client, run, schedule.missed if schedule else "once")
    except HTTPError as error:
        say(f"missed runs were not ended: {error}", logging.WARNING)
        return None


def _settled(client: SyncPrefectClient, run: FlowRun, policy: str) -> State[Any] | None:
    states = sorted(client.read_flow_run_states(run.id), key=lambda state: state.timestamp)
    if any(state.is_final() for state in states):
        return None  # a person has begun it again
    taken = next((state.timestamp for state in states if state.is_pending()), None)
    taken = taken or server_time(client) or datetime.now(UTC)
    due = _due(run)
    others = _waiting(client, run, taken)
    newest = max([due, *map(_due, others)])
    if policy == "once":
        _end(client, others, f"run {run.name} does its work")
        return None
    missed = [one for one in others if _is_missed(_due(one), taken, newest)]
    _end(client, missed, "it is skipped")
    if not _is_missed(due, taken, newest):
        return None
    text = _message(due, "it is skipped")
    record(text, logging.WARNING)
    return Cancelled(message=text)


def _is_missed(due: datetime, taken: datetime, newest: datetime) -> bool:
    """Whether a run was not begun in time: it is late, or the next one is due already."""
    return taken - due > GRACE or due < newest


def _due(run: FlowRun) -> datetime:
    return run.expected_start_time or run.created or datetime.now(UTC)


def _waiting(client: SyncPrefectClient, run: FlowRun, until: datetime) -> list[FlowRun]:
    """The other runs that the schedule of a deployment made for a time up to now, not yet begun."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    found: list[FlowRun] = []
    while True:
        some = client.read_flow_runs(
            flow_run_filter=filters.FlowRunFilter(
                deployment_id=filters.FlowRunFilterDeploymentId(any_=[run.deployment_id]),
                state=filters.FlowRunFilterState(
                    type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])
                ),
                expected_start_time=filters.FlowRunFilterExpectedStartTime(before_=until),
            ),
            limit=_PAGE,
            offset=len(found),
        )
        found += some
        if len(some) < _PAGE:
            break
    return [
        one
        for one in found
        if one.auto_scheduled
        and one.run_count == 0
        and one.id != run.id
        and one.parameters == run.parameters  # a schedule that a person added may ask for others
    ]


def _end(client: SyncPrefectClient, runs: Sequence[FlowRun], why: str) -> None:
    for one in sorted(runs, key=_due):
        try:
            client.set_flow_run_state(one.id, Cancelled(message=_message(_due(one), why)))
        except ObjectNotFound:  # somebody deleted it meanwhile
            continue
    if runs:
        times = sorted(map(_due, runs))
        between = f"{times[0]:%Y-%m-%d %H:%M} to {times[-1]:%Y-%m-%d %H:%M} UTC"
        record(f"{len(runs)} missed runs of the schedule are ended, due {between}", logging.WARNING)


def _message(due: datetime, why: str) -> str:
    when = due.astimezone(UTC)
    return f"missed: was due {when:%Y-%m-%d %H:%M:%S} UTC and nothing could begin it then; {why}"
