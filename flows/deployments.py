"""What Prefect runs by itself: one deployment per product line, made from `lines.yaml`.

A deployment names the flow by its module, so that a worker needs the installed package and not a
copy of the source. Those of a project's lines carry its tag; every work pool has one more, which
trains classes of any line. `deploying` compares them with what Prefect has.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae import __version__
from patchae.config import Line, Lines, Retention, Schedule
from patchae.project import Project
from patchae.settings import settings

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.deployments.runner import RunnerDeployment

TAG = "patchae"
RETRAIN, TRAIN_CLASS, TIDY, MONITOR = "retrain", "train-class", "tidy", "monitor"
"""The flows, by their names in Prefect."""
OF_POOL = f"{TAG}.pool:"
"""Begins the tag of a line's deployment that says who trains its classes."""
HEARTBEAT_S = 30
"""Runs tell so often that they live, which is as often as Prefect allows."""
JOB = {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S)}}


def project_tag(project: Project) -> str:
    """The tag of all deployments of a project: its name is that of its folder, or set."""
    return f"{TAG}:{settings().project or project.root.name}"


def wanted(project: Project, lines: Lines, root: Path) -> dict[str, RunnerDeployment]:
    """The deployments of lines, their watches and work pools, and of the retention, by full name.

    Args:
        project: the project whose tag they carry.
        lines: its product lines.
        root: the project's folder on the workers.
    """
    tag = project_tag(project)
    found = {f"{RETRAIN}/{line.name}": _of_line(tag, line, root) for line in lines.lines}
    pools = {line.work_pool for line in lines.lines}
    found |= {f"{TRAIN_CLASS}/{pool}": _of_pool(pool) for pool in sorted(pools)}
    for line in lines.lines:
        if line.drift.schedule:
            found[f"{MONITOR}/{line.name}"] = _of_watch(tag, line, line.drift.schedule, root)
    if lines.retention:
        found[f"{TIDY}/{tag.partition(':')[2]}"] = _of_project(tag, lines.retention, root)
    return found


def _of_pool(pool: str) -> RunnerDeployment:
    from flows.workers import train_class

    return _deployment(
        train_class,
        pool,
        pool,
        tags=[TAG],
        description=f"Train some classes of a line on a worker of pool {pool}",
    )


def _of_project(tag: str, policy: Retention, root: Path) -> RunnerDeployment:
    from flows.tidy import tidy

    return _deployment(
        tidy,
        tag.partition(":")[2],
        policy.work_pool,
        tags=[TAG, tag],
        description="Remove what nobody needs any more, by `retention` of lines.yaml",
        parameters={"root": str(root)},
        schedule=policy.schedule,
        concurrency_limit=_one_at_a_time(),
    )


def _of_watch(tag: str, line: Line, due: Schedule, root: Path) -> RunnerDeployment:
    from flows.monitor import monitor

    return _deployment(
        monitor,
        line.name,
        line.data_pool or line.work_pool,
        tags=[TAG, tag],
        description=f"Look for drift at the classes of line {line.name}",
        parameters={"line_name": line.name, "root": str(root)},
        schedule=due,
        concurrency_limit=_one_at_a_time(),
    )


def _of_line(tag: str, line: Line, root: Path) -> RunnerDeployment:
    from flows.retrain import retrain

    return _deployment(
        retrain,
        line.name,
        line.data_pool or line.work_pool,
        tags=[TAG, tag, f"{OF_POOL}{line.work_pool}"],
        description=line.description or f"Retrain line {line.name}",
        parameters={"line_name": line.name, "root": str(root)},
        schedule=line.schedule,
        concurrency_limit=_one_at_a_time(),
    )


def _one_at_a_time() -> ConcurrencyLimitConfig:
    """The next run waits for the one before; `flows.missed` settles those of a schedule."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

    return ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)


def _deployment(
    flow: Flow[..., Any], name: str, pool: str, *, schedule: Schedule | None = None, **more: Any
) -> RunnerDeployment:
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    deployment: RunnerDeployment = RunnerDeployment.from_flow(
        flow,
        name=name,
        schedules=[Cron(schedule.cron, timezone=schedule.timezone)] if schedule else [],
        version=__version__,
        work_pool_name=pool,
        job_variables=JOB,
        entrypoint_type=EntrypointType.MODULE_PATH,
        **more,
    )
    return deployment
