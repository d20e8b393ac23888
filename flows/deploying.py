"""Make Prefect's deployments and automations what is wanted, and change nothing else.

compare    what differs, by kind and name
carry_out  make, change and take down, through the client that `connected` gives
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from flows import watching
from flows.deployments import MONITOR, OF_POOL, RETRAIN, TIDY, TRAIN_CLASS, project_tag
from patchae.errors import UsageError
from patchae.project import Project

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.deployments.runner import RunnerDeployment
    from prefect.events.schemas.automations import Automation

AUTOMATION = "automation"
FLOWS = (RETRAIN, TRAIN_CLASS, MONITOR, TIDY)
"""Those that have deployments."""
Step = Literal["create", "change", "remove", "keep"]


@dataclass(frozen=True)
class Change:
    """What is to be done about one deployment or automation."""

    kind: str
    """The flow of a deployment, or `automation`."""
    name: str
    step: Step
    differs: tuple[str, ...] = ()
    """Of a change: what is not as `lines.yaml` says."""
    known: UUID | None = None
    """The id of what Prefect has."""


@contextmanager
def connected() -> Iterator[SyncPrefectClient]:
    """A client of Prefect's server.

    Raises:
        StoreUnreachable: it does not answer.
    """
    from flows.connection import client
    from flows.engine import reach_prefect

    reach_prefect()
    with client() as prefect:
        yield prefect


def compare(
    client: SyncPrefectClient, project: Project, asked: Mapping[str, RunnerDeployment]
) -> list[Change]:
    """What must be done so that Prefect has exactly what is asked for.

    Deployments of other projects are left alone, and a work pool keeps its own as long as a line of
    any project uses it.

    Raises:
        UsageError: a deployment of that name belongs to another project.
    """
    tag = project_tag(project)
    present = {flow: _deployments(client, flow) for flow in FLOWS}
    changes = []
    for full, deployment in sorted(asked.items()):
        flow, _, name = full.partition("/")
        found = present[flow].get(name)
        if found is None:
            changes.append(Change(flow, name, "create"))
            continue
        if flow != TRAIN_CLASS and tag not in found.tags:
            raise UsageError(
                f"Prefect has a deployment {full} that is not of this project",
                where=f"tags {', '.join(found.tags) or 'none'}; this project has {tag}",
                mend="rename it, or set PATCHAE_PROJECT if it is this project after all",
            )
        seen, told = _as_found(found), _as_asked(deployment)
        differs = tuple(key for key in told if seen[key] != told[key])
        changes.append(Change(flow, name, "change" if differs else "keep", differs, found.id))
    return [*changes, *_gone(present, asked, tag), *_watching(watching.held(client))]


def _gone(
    present: Mapping[str, Mapping[str, DeploymentResponse]], asked: Iterable[str], tag: str
) -> Iterator[Change]:
    """What is to be taken down: lines and a retention that are gone, and pools of no line."""
    lines, pools = present[RETRAIN], present[TRAIN_CLASS]
    for flow in (RETRAIN, MONITOR, TIDY):
        own = {name: one for name, one in present[flow].items() if tag in one.tags}
        for name in sorted(own.keys() - _names(asked, flow)):
            yield Change(flow, name, "remove", known=own[name].id)
    others = {mark for one in lines.values() if tag not in one.tags for mark in one.tags}
    for name in sorted(set(pools) - _names(asked, TRAIN_CLASS)):
        if f"{OF_POOL}{name}" in others:
            continue
        yield Change(TRAIN_CLASS, name, "remove", known=pools[name].id)


def _watching(automations: Mapping[str, Automation]) -> Iterator[Change]:
    for name, asked in watching.wanted().items():
        held = automations.get(name)
        if held is None:
            yield Change(AUTOMATION, name, "create")
        else:
            step: Step = "keep" if watching.same(held, asked) else "change"
            yield Change(AUTOMATION, name, step, known=held.id)


def _names(asked: Iterable[str], flow: str) -> set[str]:
    return {full.partition("/")[2] for full in asked if full.startswith(f"{flow}/")}


def carry_out(
    client: SyncPrefectClient,
    asked: Mapping[str, RunnerDeployment],
    changes: Iterable[Change],
) -> None:
    """Do what the changes say; a removal only where it is among them."""
    due = [change for change in changes if change.step != "keep"]
    made = [one for one in due if one.step != "remove" and one.kind != AUTOMATION]
    _ensure_pools(client, {str(asked[f"{one.kind}/{one.name}"].work_pool_name) for one in made})
    for change in due:
        if change.kind == AUTOMATION:
            watching.put(client, change.name, change.known)
        elif change.step == "remove" and change.known:
            client.delete_deployment(change.known)
        elif change.step == "create":
            _create(client, asked[f"{change.kind}/{change.name}"])
        else:
            asked[f"{change.kind}/{change.name}"].apply()


def _create(client: SyncPrefectClient, asked: RunnerDeployment) -> None:
    """What `RunnerDeployment.apply` does for a new one, with one client for all of them.

    Each `apply` makes clients of its own and asks for triggers and Git's state: for a hundred lines
    that is a third of the time.
    """
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.flows import load_flow_from_entrypoint

    schema = load_flow_from_entrypoint(str(asked.entrypoint)).parameters
    told = asked.model_dump(include={"schedules"}, exclude_unset=True)
    client.create_deployment(
        flow_id=client.create_flow_from_name(str(asked.flow_name)),
        name=asked.name,
        version=asked.version,
        schedules=[*map(DeploymentScheduleCreate.model_validate, told["schedules"])],
        concurrency_limit=asked.concurrency_limit,
        concurrency_options=asked.concurrency_options,
        parameters=asked.parameters,
        description=asked.description,
        work_pool_name=asked.work_pool_name,
        tags=asked.tags,
        entrypoint=asked.entrypoint,
        parameter_openapi_schema=schema.model_dump(exclude_unset=True),
        paused=False,
        pull_steps=[],
        enforce_parameter_schema=asked.enforce_parameter_schema,
        job_variables=asked.job_variables,
    )


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


def _deployments(client: SyncPrefectClient, flow: str) -> dict[str, DeploymentResponse]:
    """All deployments of a flow, whoever made them, by name."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    found: list[DeploymentResponse] = []
    page = 200
    while True:
        some = client.read_deployments(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            limit=page,
            offset=len(found),
        )
        found += some
        if len(some) < page:
            return {one.name: one for one in found}


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
        "environment": deployment.job_variables,
        "runs at a time": deployment.concurrency_limit,
        "further runs": _strategy(deployment.concurrency_options),
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
        "environment": found.job_variables,
        "runs at a time": limit.limit if limit else None,
        "further runs": _strategy(found.concurrency_options),
        "paused": found.paused,
    }


def _strategy(options: Any) -> str | None:
    """What becomes of a run above the limit."""
    return str(options.collision_strategy.value) if options else None


def _schedules(schedules: Sequence[Any]) -> list[tuple[str, str]]:
    return sorted(
        (str(getattr(one.schedule, "cron", one.schedule)), str(one.schedule.timezone))
        for one in schedules
        if one.active is not False
    )
