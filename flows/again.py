"""A retraining that is started again since the run before it crashed.

It is for the same classes, and has the reason of the run that was meant: that a machine died is no
reason to train a model. What was finished is found, as after every crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows.origin import reason_of, starter_of, trigger_of
from patchae.errors import NegativeFinding
from patchae.lineage.parts import Trigger

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

MOST = 3
"""So many runs in a row may crash; what crashes them is then not going to pass by itself."""


@dataclass(frozen=True)
class Meant:
    """What the first of the runs was to do."""

    classes: list[str] | None
    reason: str
    trigger: Trigger
    started_by: str | None


def meant_by(crashed: str) -> Meant:
    """What a run that crashed was meant to do.

    Args:
        crashed: the id of that run, which may itself have been started again.

    Raises:
        NegativeFinding: too many in a row have crashed.
    """
    from prefect.client.orchestration import get_client

    before: list[FlowRun] = []
    follow: str | None = crashed
    with get_client(sync_client=True) as client:
        while follow and len(before) < MOST:
            before.append(client.read_flow_run(UUID(follow)))
            follow = before[-1].parameters.get("again")
    if follow or len(before) >= MOST:
        names = ", ".join(run.name for run in before)
        raise NegativeFinding(
            f"{len(before)} runs in a row have crashed, and no other one is started",
            where=names,
            mend="look at the worker's log and the machine's memory, then start the deployment",
        )
    first = before[-1]
    told: dict[str, Any] = first.parameters
    return Meant(
        classes=told.get("classes"),
        reason=told.get("reason") or reason_of(first),
        trigger=trigger_of(first, told.get("trigger")),
        started_by=starter_of(first),
    )
