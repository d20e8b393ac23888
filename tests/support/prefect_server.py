"""Commands, workers and runs on a real Prefect server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from tests.support.plant import Plant

ROOT = Path(__file__).parents[2]
T = TypeVar("T")


def environment(api: str, **more: str) -> dict[str, str]:
    """What a command or a worker needs: this source, and the server's address."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PREFECT_API_URL": api,
        "PREFECT_LOGGING_LEVEL": "ERROR",
        **more,
    }


def run(plant: Plant, api: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of patchae in the project, in this process: that saves seconds of imports."""
    from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL, temporary_settings

    from patchae.cli import main

    out, err, code, before = StringIO(), StringIO(), 0, dict(os.environ)
    with (
        pytest.MonkeyPatch.context() as patch,
        temporary_settings({PREFECT_API_URL: api, PREFECT_LOGGING_LEVEL: "ERROR"}),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.chdir(plant.project.root)
        patch.setattr("sys.argv", ["patchae", *words])
        os.environ.update(environment(api, **more))
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def spawn(plant: Plant, api: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of patchae in the project, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "patchae", *words],
        cwd=plant.project.root,
        env=environment(api, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


class Worker:
    """A worker of a pool, that runs flows as processes of its own."""

    def __init__(
        self, api: str, home: Path, pool: str = "patchae", limit: int | None = None, **more: str
    ) -> None:
        home.mkdir(parents=True)
        words = ["worker", "start", "--pool", pool, "--type", "process", "--name", home.name]
        words += ["--limit", str(limit)] if limit else []
        own = {
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_LOGGING_LEVEL": "INFO",
            "PREFECT_WORKER_QUERY_SECONDS": "2",  # instead of 10: nobody has to wait for a look
        }
        with (home / "worker.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "prefect", *words],
                cwd=home,
                env={**environment(api), **more, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """The processes of its runs."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def process_of(self, run_id: str) -> psutil.Process | None:
        """The process of one run."""
        for one in self.processes():
            try:
                if one.environ().get("PREFECT__FLOW_RUN_ID") == run_id:
                    return one
            except psutil.Error:
                continue
        return None

    def kill(self) -> None:
        """As when its machine loses power: it and all its runs are gone at once."""
        everything = [psutil.Process(self._process.pid), *self.processes()]
        for one in everything:
            one.kill()
        psutil.wait_procs(everything)
        self._process.wait()

    def stop(self) -> None:
        """End it as a service manager would."""
        if self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@contextmanager
def worker(
    api: str, home: Path, pool: str = "patchae", limit: int | None = None, **more: str
) -> Iterator[Worker]:
    """A worker for the length of the block."""
    made = Worker(api, home, pool, limit, **more)
    try:
        yield made
    finally:
        made.stop()


@contextmanager
def client_of(api: str) -> Iterator[Any]:
    """A client of the server."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
        yield client


def start(api: str, deployment: str, **parameters: Any) -> str:
    """Start a deployment as a person does on Prefect's pages; the id of the run."""
    with client_of(api) as client:
        known = client.read_deployment_by_name(deployment)
        made = client.create_flow_run_from_deployment(known.id, parameters=parameters)
        return str(made.id)


def states(api: str, flow: str) -> dict[str, str]:
    """The state of every run of a flow, oldest first."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    with client_of(api) as client:
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        )
    return {str(one.id): one.state.name if one.state else "" for one in found}


def until(ask: Callable[[], T], patience: float = 400) -> T:
    """Wait for an answer that counts."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(1)
    raise AssertionError("it did not happen")
