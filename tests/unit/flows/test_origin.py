"""What started a run and who had it started, by what Prefect knows of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from flows.origin import reason_of, starter_of, trigger_of

SCHEDULE = {"id": uuid4(), "type": "SCHEDULE", "display_value": "CronSchedule"}
AUTOMATION = {"id": uuid4(), "type": "AUTOMATION", "display_value": "patchae: reasons to retrain"}
USER = {"id": uuid4(), "type": "USER", "display_value": "ada"}


def _run(by: dict[str, Any] | None = None, **more: Any) -> FlowRun:
    return FlowRun(flow_id=uuid4(), deployment_id=uuid4(), created_by=by, **more)


@pytest.mark.parametrize(
    ("run", "given", "trigger", "starter"),
    [
        (_run(), None, "person", None),
        (_run(USER), None, "person", "ada"),
        (_run(USER), "schedule", "person", "ada"),  # a copy of a scheduled run
        (_run(SCHEDULE, auto_scheduled=True), None, "schedule", "Prefect's scheduler"),
        (
            _run(AUTOMATION),
            "new_data",
            "new_data",
            "automation patchae: reasons to retrain",
        ),
        (_run(AUTOMATION), None, "automation", "automation patchae: reasons to retrain"),
    ],
)
def test_who_started_a_run(run: FlowRun, given: Any, trigger: str, starter: str | None) -> None:
    assert trigger_of(run, given) == trigger
    assert starter_of(run) == starter


def test_a_flow_that_starts_one_is_no_person() -> None:
    parent = uuid4()
    run = _run(parent_task_run_id=parent)
    assert trigger_of(run, None) == "automation"
    assert starter_of(run) == f"task run {parent}"


def test_nobody_gave_a_reason() -> None:
    assert reason_of(_run(USER)) == "on demand"
