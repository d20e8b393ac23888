"""What Prefect's server watches for: silent runs, crashed retrainings, reasons to retrain.

A process that is killed cannot say so. Every run tells that it lives (`HEARTBEAT_S`); one of which
nothing was heard for three of these times is marked as crashed, and a retraining that crashed is
started again (`flows.again` says how often). An event that `flows.events` sends runs the deployment
that it names. One set of automations serves all lines of all projects: a trigger for each line
would take Prefect's server as long to make as its deployment.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows.deployments import HEARTBEAT_S, RETRAIN, TAG
from flows.events import REASONS

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation, AutomationCore

SILENT, AGAIN = f"{TAG}: runs that fell silent", f"{TAG}: retrainings that crashed"
BECAUSE = f"{TAG}: reasons to retrain"
_RUN = "prefect.flow-run"
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed")


def wanted() -> dict[str, AutomationCore]:
    """The automations, by name."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState, RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    own = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
    of_retrain = {"prefect.resource.role": "flow", "prefect.resource.name": RETRAIN}
    runs = ResourceSpecification({"prefect.resource.id": f"{_RUN}.*"})
    silent = EventTrigger(
        after={f"{_RUN}.heartbeat"},
        expect={f"{_RUN}.heartbeat", *(f"{_RUN}.{end}" for end in _ENDS)},
        match=runs,
        match_related=[ResourceSpecification(own)],
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=3 * HEARTBEAT_S),
    )
    crashed = EventTrigger(
        expect={f"{_RUN}.Crashed"},
        match=runs,
        match_related=[ResourceSpecification(own), ResourceSpecification(of_retrain)],
        posture=Posture.Reactive,
        threshold=1,
    )
    reason = EventTrigger(expect=set(REASONS), posture=Posture.Reactive, threshold=1)
    classes = {"__prefect_kind": "json", "value": _jinja("event.payload.classes | tojson")}
    because = {
        "classes": classes,
        "reason": _jinja("event.payload.reason"),
        "trigger": _jinja("event.payload.trigger"),
    }
    return {
        SILENT: AutomationCore(
            name=SILENT,
            trigger=silent,
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED,
                    message=f"nothing was heard of it for {3 * HEARTBEAT_S} s",
                )
            ],
        ),
        AGAIN: AutomationCore(
            name=AGAIN,
            trigger=crashed,
            actions=[RunDeployment(source="inferred", parameters={"again": _jinja("flow_run.id")})],
        ),
        # The deployment is the one that the event is related to.
        BECAUSE: AutomationCore(
            name=BECAUSE,
            trigger=reason,
            actions=[RunDeployment(source="inferred", parameters=because)],
        ),
    }


def _jinja(expression: str) -> dict[str, str]:
    """A parameter that the server fills in when the automation acts."""
    return {"__prefect_kind": "jinja", "template": f"{{{{ {expression} }}}}"}


def same(found: Automation, asked: AutomationCore) -> bool:
    """Whether an automation is as it shall be."""
    return _told(found) == _told(asked)


def held(client: SyncPrefectClient) -> dict[str, Automation]:
    """Those of them that the server has, by name."""
    found = (client.read_automations_by_name(name) for name in wanted())
    return {one.name: one for some in found for one in some}


def put_all(client: SyncPrefectClient) -> None:
    """Make all automations what they shall be."""
    there = held(client)
    for name, asked in wanted().items():
        found = there.get(name)
        if found is None or not same(found, asked):
            put(client, name, found.id if found else None)


def put(client: SyncPrefectClient, name: str, known: UUID | None) -> None:
    """Make an automation, or make the one that is there what it shall be."""
    asked = wanted()[name]
    if known is None:
        client.create_automation(asked)
    else:
        client.update_automation(known, asked)


def _told(automation: AutomationCore) -> dict[str, Any]:
    """What counts of an automation; the server adds ids of its own to triggers."""
    told = automation.model_dump(mode="json", include={"name", "enabled", "trigger", "actions"})
    trigger = told["trigger"]
    for key in ("expect", "after", "for_each"):
        trigger[key] = sorted(trigger[key])
    trigger.pop("id", None)
    return told
