"""One way to start, wait for and stop a server that outlives the command that started it.

What was started is known by process id and moment of start, kept under `run/`; a process id that
was given to somebody else since is never touched. Every process of the stack and what it starts
carries `STACK_MARK` in its environment, so that none can be left behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

from patchae.errors import StoreUnreachable
from patchae.files import write_text

MARK = "STACK_MARK"
_FOREIGN = ("PATCHAE_", "MLFLOW_", "PREFECT_", "AWS_", "PG", "OPENLINEAGE")
"""Of the environment of whoever starts the stack: not for its servers."""
_PATIENCE = 110
"""Seconds until a server must answer."""
_MOMENT = 0.5


@dataclass(frozen=True)
class Service:
    """A server, or a worker: how it is started and when it is ready."""

    name: str
    command: Sequence[str | Path]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    """Address at which it alone may answer; a worker has none."""
    user: int | None = None
    """Another user to run as, by number."""
    group: int | None = None
    ends_with: signal.Signals = signal.SIGTERM
    grace: float = 20
    """Seconds that it may take to end, before it is killed."""

    def whole_environment(self) -> dict[str, str]:
        """Its environment: that of this process without what is meant for others, and its own."""
        kept = {name: v for name, v in os.environ.items() if not name.startswith(_FOREIGN)}
        return {**kept, **self.environment}


def start(home: Path, service: Service) -> bool:
    """Start a service that is not running; whether it was started now.

    Raises:
        StoreUnreachable: something else answers in its place already.
    """
    if alive(home, service.name) is not None:
        return False
    if service.where and service.ready():
        raise StoreUnreachable(
            f"{service.name} is not started: something else answers at {service.where}",
            where=str(home / "run"),
            mend="`make stack-down` ends what is left of this stack; for anything else,"
            " infra/stack.env.example shows how to choose another port",
        )
    folder = home / "run" / service.name
    folder.mkdir(parents=True, exist_ok=True)
    log = home / "logs" / f"{service.name}.log"
    log.parent.mkdir(exist_ok=True)
    who: dict[str, Any] = {}
    if service.user is not None:
        who = {"user": service.user, "group": service.group, "extra_groups": []}
        os.chown(folder, service.user, -1)
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [str(word) for word in service.command],
            cwd=folder,
            env={**service.whole_environment(), MARK: str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **who,
        )
    began = psutil.Process(process.pid).create_time()
    write_text(_record(home, service.name), json.dumps({"pid": process.pid, "began": began}))
    return True


def wait(home: Path, services: Iterable[Service]) -> None:
    """Wait until all of them are ready, and still run.

    Raises:
        StoreUnreachable: one ended, whoever answers in its place, or takes too long.
    """
    services = list(services)
    until = time.monotonic() + _PATIENCE
    for service in services:
        while not service.ready():
            running = alive(home, service.name) is not None
            if running and time.monotonic() < until:
                time.sleep(0.2)
                continue
            raise _not_up(home, service, "takes too long to answer" if running else "ended at once")
    # One whose port was taken meanwhile needs a moment to find out.
    time.sleep(_MOMENT if services else 0)
    for service in services:
        if alive(home, service.name) is None:
            other = f"; something else answers at {service.where}" if service.where else ""
            raise _not_up(home, service, f"ended at once{other}")


def _not_up(home: Path, service: Service, why: str) -> StoreUnreachable:
    return StoreUnreachable(
        f"{service.name} {why}",
        where=str(home / "logs" / f"{service.name}.log"),
        mend="look into that file; is something else listening on its port?"
        " infra/stack.env.example shows how to choose another",
    )


def alive(home: Path, name: str) -> psutil.Process | None:
    """The process of a service that runs."""
    try:
        told = json.loads(_record(home, name).read_text())
        process = psutil.Process(told["pid"])
        same = abs(process.create_time() - told["began"]) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def stop(home: Path, services: Iterable[Service]) -> None:
    """Stop some services at the same time, and everything that they started."""
    families = []
    grace = 0.0
    for service in services:
        process = alive(home, service.name)
        _record(home, service.name).unlink(missing_ok=True)
        if process is None:
            continue
        try:
            families += [process, *process.children(recursive=True)]
            process.send_signal(service.ends_with)
        except psutil.NoSuchProcess:
            continue
        grace = max(grace, service.grace)
    _, left = psutil.wait_procs(families, timeout=grace)
    _kill(left)


def stop_strays(home: Path) -> int:
    """Kill what still carries this stack's mark: runs of a worker that was killed, for example."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                left.append(process)
        except (psutil.Error, OSError):  # it ended, or is another user's
            continue
    _kill(left)
    return len(left)


def answers(url: str) -> bool:
    """Whether a server answers at all; "who are you?" is an answer."""
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return int(answer.status) < 500
    except HTTPError as error:
        return error.code < 500
    except (URLError, OSError):
        return False


def _kill(processes: Iterable[psutil.Process]) -> None:
    some = list(processes)
    for process in some:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(some, timeout=10)


def _record(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.json"
