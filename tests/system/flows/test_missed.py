"""Nobody was there when a schedule was due: what becomes of its runs once a worker is back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from prefect.states import AwaitingRetry

from tests.support.plant import Plant
from tests.support.prefect_server import client_of, run, start, until, worker

LAST = datetime.now(UTC) - timedelta(hours=3)
WEEKLY = {"cron": f"{LAST.minute} {LAST.hour} * * {LAST.isoweekday() % 7}", "timezone": "UTC"}
"""Due three hours ago, and not while a test runs."""


def test_missed_runs_are_done_once_or_not_at_all(api: str, tmp_path: Path) -> None:
    """Five weeks without a worker; what a person starts runs in any case.

    The lines have no images: whatever begins its work fails at once, and is told apart by that.
    """
    plant = Plant(tmp_path / "works")
    lines = {
        "once": {"classes": ["cap"], "schedule": WEEKLY},
        "skip": {"classes": ["nut"], "schedule": {**WEEKLY, "missed": "skip"}},
        "seen": {"classes": ["pin"], "drift": {"schedule": {**WEEKLY, "missed": "skip"}}},
    }
    policy = {"schedule": {**WEEKLY, "missed": "skip"}}
    plant.project.lines_file.write_text(yaml.safe_dump({"lines": lines, "retention": policy}))
    assert run(plant, api, "deploy").returncode == 0
    late = ("retrain/once", "retrain/skip", "monitor/seen", "tidy/works")
    for name in late:
        _miss(api, name, weeks=5)
    by_hand = start(api, "retrain/skip", reason="a person wants it now")
    # Twenty runs at once are more than Prefect's server answers on a small machine.
    with worker(api, tmp_path / "worker", limit=3):
        until(lambda: all(_settled(api, name) for name in late))
        (person,) = [one for one in _past(api, "retrain/skip") if not one.auto_scheduled]
        assert (str(person.id), person.state.name) == (by_hand, "Failed"), "it began all the same"
        for name in late:
            missed = [one for one in _past(api, name) if one.auto_scheduled]
            ended = [one for one in missed if one.state.name == "Cancelled"]
            assert len(missed) == 5
            assert len(ended) == (4 if name == "retrain/once" else 5), name
            for one in ended:
                when = f"{one.expected_start_time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
                assert one.state.message.startswith(f"missed: was due {when} UTC")
        again = next(one.id for one in _past(api, "retrain/skip") if one.auto_scheduled)
        with client_of(api) as client:
            client.set_flow_run_state(again, AwaitingRetry(), force=True)  # "Retry" on its page
        until(lambda: _settled(api, "retrain/skip"))
        (begun,) = [one for one in _past(api, "retrain/skip") if one.id == again]
        assert begun.state.name == "Failed", "what a person begins again is not skipped"


def _miss(api: str, deployment: str, weeks: int) -> None:
    """Have the server make the runs of some weeks in which nobody was there."""
    now = datetime.now(UTC)
    span = {
        "start_time": (now - timedelta(weeks=weeks)).isoformat(),
        "end_time": now.isoformat(),
        "min_runs": weeks,
        "max_runs": weeks,
    }
    with client_of(api) as client:
        known = client.read_deployment_by_name(deployment)
        client.request("POST", f"/deployments/{known.id}/schedule", json=span)
    assert len(_past(api, deployment)) == weeks


def _settled(api: str, deployment: str) -> bool:
    return all(one.state.is_final() for one in _past(api, deployment))


def _past(api: str, deployment: str) -> list[Any]:
    """The runs of a deployment that are due."""
    from prefect.client.schemas import filters

    with client_of(api) as client:
        known = client.read_deployment_by_name(deployment)
        found = client.read_flow_runs(
            flow_run_filter=filters.FlowRunFilter(
                deployment_id=filters.FlowRunFilterDeploymentId(any_=[known.id])
            )
        )
    return [one for one in found if one.expected_start_time <= datetime.now(UTC)]
