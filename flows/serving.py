"""Retrain lines when they are due, on this machine alone: no work pool, no worker.

Each run is a process of its own, started by the one that serves; one line has one run at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from flows.connection import api_url
from flows.deployments import TRAIN_CLASS, wanted
from flows.server import prefect_server
from patchae.config import Lines
from patchae.console import say
from patchae.project import Project
from patchae.steps.plan import slots


@contextmanager
def engine(project: Project, port: int) -> Iterator[str]:
    """The API of Prefect: that of its settings, or of a server that is started here.

    Raises:
        StoreUnreachable: the server does not start.
    """
    if url := api_url():
        yield url
        return
    from prefect.context import refresh_global_settings_context

    with prefect_server(project.prefect, port) as url:
        os.environ["PREFECT_API_URL"] = url
        refresh_global_settings_context()  # Prefect has read its settings by now
        try:
            yield url
        finally:
            del os.environ["PREFECT_API_URL"]
            refresh_global_settings_context()


def serve(project: Project, lines: Lines, *, loud: str | None = None) -> None:
    """Serve all lines until the process is told to end; `engine` must be there.

    Args:
        project: the project.
        lines: its lines.
        loud: a variable that keeps Prefect's log from the console here, and not of its runs.

    Raises:
        StoreUnreachable: Prefect does not answer.
    """
    from prefect import serve as serve_deployments

    from flows import watching
    from flows.deploying import connected

    if loud:
        os.environ.pop(loud, None)  # Prefect has read it; each run is a process of its own

    with connected() as client:
        watching.put_all(client)
    every = wanted(project, lines, project.root)
    deployments = [one for name, one in every.items() if not name.startswith(f"{TRAIN_CLASS}/")]
    for deployment in deployments:
        # Runs are started here, and by no worker.
        deployment.work_pool_name, deployment.job_variables = None, {}
    for line in lines.lines:
        if line.schedule:
            say(f"line {line.name}: {line.schedule.cron} {line.schedule.timezone}")
        else:
            say(f"line {line.name}: when new images arrive, or on demand")
    if lines.retention:
        due = lines.retention.schedule
        say(f"tidying: {due.cron} {due.timezone}")
    serve_deployments(
        *deployments,
        print_starting_message=False,
        limit=max(2, 2 * slots()),
        pause_on_shutdown=False,  # what is missed meanwhile is settled as `lines.yaml` says
    )
