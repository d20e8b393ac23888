"""What Prefect runs by itself: one deployment per product line, made from `lines.yaml`.

    wanted     the deployments that `lines.yaml` asks for
    compare    what differs from those that Prefect has, by name
    carry_out  make, change and take down, through the client that `connected` gives

A deployment names the flow by its module, so that a worker needs the installed package and not a
copy of the source. Those of a project carry its tag; what has another tag is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from patchae import __version__
from patchae.config import Line, Lines
from patchae.errors import UsageError
from patchae.project import Project
from patchae.settings import settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.deployments.runner import RunnerDeployment

TAG = "patchae"
ARRIVED = "patchae.data-arrived"
"""The event that starts the retraining of some classes of a line; see `flows.events`."""
Step = Literal["create", "change", "remove", "keep"]


@dataclass(frozen=True)
class Change:
    """What is to be done about one deployment."""

    line: str
    step: Step
    differs: tuple[str, ...] = ()
    """Of a change: what is not as `lines.yaml` says."""
    deployment: UUID | None = None
    """Of what Prefect has: its id."""


@contextmanager
def connected() -> Iterator[SyncPrefectClient]:
    """A client of the server that `PREFECT_API_URL` names.

    Raises:
        StoreUnreachable: it does not answer.
    """
    from prefect.client.orchestration import get_client

    from flows.engine import reach_prefect

    reach_prefect()
    with get_client(sync_client=True) as client:
        yield client


def project_tag(project: Project) -> str:
    """The tag of all deployments of a project: its name is that of its folder, or set."""
    return f"{TAG}:{settings().project or project.root.name}"


def resource_of(tag: str, line: str) -> str:
    """The resource that an event about a line is on."""
    return f"{tag.replace(':', '.')}.line.{line}"


def wanted(project: Project, lines: Lines, root: Path) -> dict[str, RunnerDeployment]:
    """The deployment of each line, by its name.

    Args:
        project: the project whose tag they carry.
        lines: its product lines.
        root: the project's folder on the workers.
    """
    tag = project_tag(project)
    return {line.name: _deployment(tag, line, root) for line in lines.lines}


def _deployment(tag: str, line: Line, root: Path) -> RunnerDeployment:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.retrain import retrain

    deployment: RunnerDeployment = RunnerDeployment.from_flow(
        retrain,
        name=line.name,
        schedules=[Cron(line.schedule.cron, timezone=line.schedule.timezone)]
        if line.schedule
        else [],
        # The next run of a line waits for the one before.
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
        ),
        parameters={"line_name": line.name, "root": str(root), "reason": _reason(line)},
        triggers=[_on_arrival(tag, line.name)],
        description=line.description or f"Retrain line {line.name}",
        tags=[TAG, tag],
        version=__version__,
        work_pool_name=line.work_pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return deployment


def _reason(line: Line) -> str:
    if line.schedule is None:
        return "on demand"
    return f"schedule {line.schedule.cron} {line.schedule.timezone}"


def _on_arrival(tag: str, line: str) -> Any:
    """Retrain the classes that an event names, with its reason."""
    from prefect.events import DeploymentEventTrigger
    from prefect.events.schemas.events import ResourceSpecification

    def told(template: str) -> dict[str, str]:
        return {"__prefect_kind": "jinja", "template": template}

    return DeploymentEventTrigger(
        name=trigger_name(tag, line),
        expect={ARRIVED},
        match=ResourceSpecification({"prefect.resource.id": resource_of(tag, line)}),
        parameters={
            "classes": {
                "__prefect_kind": "json",
                "value": told("{{ event.payload.classes | tojson }}"),
            },
            "reason": told("{{ event.payload.reason }}"),
            "trigger": "new_data",
        },
    )


def trigger_name(tag: str, line: str) -> str:
    """The name of the automation that waits for new images of a line."""
    return f"{tag} {line}: new images"


def compare(
    client: SyncPrefectClient, project: Project, asked: Mapping[str, RunnerDeployment]
) -> list[Change]:
    """What must be done so that Prefect has exactly the deployments asked for, by name.

    Raises:
        UsageError: a deployment of that name belongs to another project.
    """
    tag = project_tag(project)
    present = {found.name: found for found in _deployments(client)}
    waiting = {automation.name for automation in client.read_automations()}
    changes = []
    for name, deployment in sorted(asked.items()):
        found = present.get(name)
        if found is None:
            changes.append(Change(name, "create"))
            continue
        if tag not in found.tags:
            raise UsageError(
                f"Prefect has a deployment retrain/{name} that is not of this project",
                where=f"tags {', '.join(found.tags) or 'none'}; this project has {tag}",
                mend="rename the line, or set PATCHAE_PROJECT if it is this project after all",
            )
        seen, told = _as_found(found), _as_asked(deployment)
        differs = [key for key in told if seen[key] != told[key]]
        if trigger_name(tag, name) not in waiting:
            differs.append("trigger")
        changes.append(Change(name, "change" if differs else "keep", tuple(differs), found.id))
    gone = sorted(
        name for name, found in present.items() if tag in found.tags and name not in asked
    )
    return changes + [Change(name, "remove", deployment=present[name].id) for name in gone]


def carry_out(
    client: SyncPrefectClient,
    asked: Mapping[str, RunnerDeployment],
    changes: Iterable[Change],
) -> None:
    """Do what the changes say; a removal only where it is among them."""
    due = [change for change in changes if change.step != "keep"]
    _ensure_pools(
        client, {str(asked[one.line].work_pool_name) for one in due if one.step != "remove"}
    )
    for change in due:
        if change.step == "remove" and change.deployment:
            client.delete_deployment(change.deployment)
            client.delete_resource_owned_automations(f"prefect.deployment.{change.deployment}")
        else:
            asked[change.line].apply()


def _ensure_pools(client: SyncPrefectClient, names: Iterable[str]) -> None:
    """Make the work pools that are not there, for workers that run flows as processes."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    for name in sorted(names):
        try:
            client.read_work_pool(name)
        except ObjectNotFound:
            client.create_work_pool(
                WorkPoolCreate(
                    name=name,
                    type=ProcessWorker.type,
                    base_job_template=ProcessWorker.get_default_base_job_template(),
                )
            )


def _deployments(client: SyncPrefectClient) -> list[DeploymentResponse]:
    """All deployments of the flow, whoever made them."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    found: list[DeploymentResponse] = []
    page = 200
    while True:
        some = client.read_deployments(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["retrain"])),
            limit=page,
            offset=len(found),
        )
        found += some
        if len(some) < page:
            return found


def _as_asked(deployment: RunnerDeployment) -> dict[str, Any]:
    """What is compared, of a deployment that is wanted."""
    return {
        "schedule": _schedules(deployment.schedules or []),
        "parameters": deployment.parameters,
        "tags": sorted(deployment.tags),
        "work pool": deployment.work_pool_name,
        "description": deployment.description,
        "version": deployment.version,
        "entrypoint": deployment.entrypoint,
        "runs at a time": deployment.concurrency_limit,
        "paused": False,
    }


def _as_found(found: DeploymentResponse) -> dict[str, Any]:
    """The same, of a deployment that Prefect has."""
    limit = found.global_concurrency_limit
    return {
        "schedule": _schedules(found.schedules),
        "parameters": found.parameters,
        "tags": sorted(found.tags),
        "work pool": found.work_pool_name,
        "description": found.description,
        "version": found.version,
        "entrypoint": found.entrypoint,
        "runs at a time": limit.limit if limit else None,
        "paused": found.paused,
    }


def _schedules(schedules: Sequence[Any]) -> list[tuple[str, str]]:
    return sorted(
        (str(getattr(one.schedule, "cron", one.schedule)), str(one.schedule.timezone))
        for one in schedules
        if one.active is not False
    )
