"""Workers of Prefect that run flows as processes of their own, each in a folder of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.stack import accounts, prefect
from infra.stack.keys import Keys
from infra.stack.process import Service
from infra.stack.settings import ROOT, Settings
from patchae.errors import ConfigError

FILE = ROOT / "infra" / "worker.env"
"""Read by `up` if it is there, and by Compose: settings of patchae for the workers alone."""
_NAME = re.compile(r"[A-Za-z_]\w*")
_THEIRS = ("PATCHAE_", "OPENLINEAGE")
_HEARTBEAT = 30


def command(settings: Settings, name: str) -> list[str]:
    """How a worker is started; it makes the work pool where there is none."""
    return [
        *(sys.executable, "-m", "prefect", "worker", "start", "--pool", settings.pool),
        *("--type", "process", "--name", name),
    ]


def from_file(file: Path | None = None) -> dict[str, str]:
    """What `FILE` gives the workers: lines NAME=VALUE, the value in quotes or not.

    Values may be secrets, so that no message holds one.

    Raises:
        ConfigError: a line is something else, or its name is not for workers.
    """
    file = file or FILE
    found: dict[str, str] = {}
    try:
        lines = file.read_text().splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the settings of the workers cannot be read ({type(error).__name__})", where=str(file)
        ) from None
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _NAME.fullmatch(name):
            raise ConfigError(
                "a line of the workers' settings is not NAME=VALUE",
                where=f"{file}, line {number}",
                mend="write one setting a line, comments on lines of their own",
            )
        if not name.startswith(_THEIRS):
            raise ConfigError(
                f"{name} is no setting for workers",
                where=f"{file}, line {number}",
                mend=f"names there begin with {' or '.join(_THEIRS)};"
                " what the stack itself needs is in infra/stack.env",
            )
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[name] = value[1:-1] if quoted else value
    return found


def from_environment() -> dict[str, str]:
    """The same of a container's worker, whose environment Compose makes of that file."""
    return {name: v for name, v in os.environ.items() if name.startswith(_THEIRS)}


def environment(settings: Settings, keys: Keys, folder: Path) -> dict[str, str]:
    """What a worker and its runs need to know: the servers, and one account."""
    return {
        **accounts.environment(settings, keys, settings.worker_account),
        "PATCHAE_ACTOR": settings.worker_account,
        "PREFECT_HOME": str(folder),
        "PATCHAE_WORKPLACES": str(folder / "projects"),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(_HEARTBEAT),
        "DO_NOT_TRACK": "1",
    }


def service(
    settings: Settings, keys: Keys, name: str, more: Mapping[str, str] | None = None
) -> Service:
    """One worker, with a folder of its own; `more` wins over what the stack tells it."""
    folder = settings.home / "workers" / name
    folder.mkdir(parents=True, exist_ok=True)
    return Service(
        name,
        command(settings, name),
        ready=_online(settings, keys, name),
        environment={**environment(settings, keys, folder), **(more or {})},
        grace=30,
    )


def services(
    settings: Settings, keys: Keys, more: Mapping[str, str] | None = None
) -> list[Service]:
    """As many as there shall be."""
    return [service(settings, keys, f"worker-{n}", more) for n in range(1, settings.workers + 1)]


def _online(settings: Settings, keys: Keys, name: str) -> Callable[[], bool]:
    def online() -> bool:
        import requests

        user, _, password = prefect.auth_string(keys).partition(":")
        try:
            answer = requests.post(
                f"{settings.url('prefect')}/api/work_pools/{settings.pool}/workers/filter",
                json={},
                auth=(user, password),
                timeout=5,
            )
        except requests.RequestException:
            return False
        return answer.status_code == 200 and any(
            one["name"] == name and one["status"] == "ONLINE" for one in answer.json()
        )

    return online
