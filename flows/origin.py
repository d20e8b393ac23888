"""Why a run runs and who had it started: what was given, and else as far as Prefect knows."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from httpx import HTTPError
from prefect.context import FlowRunContext
from prefect.runtime import deployment, flow_run

from patchae.lineage.parts import Trigger
from patchae.settings import settings
from patchae.steps.job import Origin

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

ON_DEMAND = "on demand"
_SCHEDULE = "schedule"


def origin_of(reason: str | None, trigger: Trigger | None, started_by: str | None) -> Origin:
    """Return why the flow run of this thread runs.

    Args:
        reason: in words, as a parameter of the run; None: as Prefect knows.
        trigger: the same for programs.
        started_by: the same of who had it started.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return Origin(
        reason=reason or (reason_of(run) if run else ON_DEMAND),
        trigger=trigger_of(run, trigger) if run else trigger or "person",
        started_by=started_by or (starter_of(run) if run else settings().who()),
        flow_run_id=str(flow_run.id) if flow_run.id else None,
        deployment=deployment.name,
        work_pool=run.work_pool_name if run else None,
    )


def trigger_of(run: FlowRun, given: Trigger | None) -> Trigger:
    """Return what started a run.

    A person who starts a copy of a run on Prefect's pages also copies its parameters, and is no
    schedule.
    """
    if run.auto_scheduled:
        return given or "schedule"
    if given and given != "schedule":
        return given
    by_program = run.parent_task_run_id or (run.created_by and run.created_by.type == "AUTOMATION")
    return "automation" if by_program else "person"


def reason_of(run: FlowRun) -> str:
    """Return in words why a run runs to which nobody gave a reason."""
    return _schedule(run) if run.auto_scheduled else ON_DEMAND


def starter_of(run: FlowRun) -> str | None:
    """Return who or what had a run started; None: Prefect does not know.

    A server without accounts, as Prefect's own, knows no people.
    """
    by = run.created_by
    if by and by.type == "AUTOMATION":
        return f"automation {by.display_value or by.id}"
    if run.auto_scheduled:
        return "Prefect's scheduler"
    if by and (by.display_value or by.id):
        return by.display_value or str(by.id)
    if run.parent_task_run_id:
        return f"task run {run.parent_task_run_id}"
    return None if run.deployment_id else settings().who()


def _schedule(run: FlowRun) -> str:
    """The schedule that made a run, as it stands in its deployment."""
    from prefect.client.orchestration import get_client

    with suppress(HTTPError), get_client(sync_client=True) as client:
        return f"{_SCHEDULE} {_words(client, run)}".rstrip()
    return _SCHEDULE


def _words(client: SyncPrefectClient, run: FlowRun) -> str:
    made_by: UUID | None = run.created_by.id if run.created_by else None
    if run.deployment_id is None:
        return ""
    for known in client.read_deployment_schedules(run.deployment_id):
        if known.id == made_by:
            due: Any = known.schedule
            when = getattr(due, "cron", None) or getattr(due, "rrule", None)
            return f"{when or f'every {due.interval}'} {due.timezone or 'UTC'}"
    return ""  # it was changed since the run was made
