"""Workers of Prefect that run flows as processes of their own, each in a folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from infra.stack import accounts, prefect
from infra.stack.keys import Keys
from infra.stack.process import Service
from infra.stack.settings import Settings

_HEARTBEAT = 30


def command(settings: Settings, name: str) -> list[str]:
    """How a worker is started; it makes the work pool where there is none."""
    return [
        *(sys.executable, "-m", "prefect", "worker", "start", "--pool", settings.pool),
        *("--type", "process", "--name", name),
    ]


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


def service(settings: Settings, keys: Keys, name: str) -> Service:
    """One worker, with a folder of its own."""
    folder = settings.home / "workers" / name
    folder.mkdir(parents=True, exist_ok=True)
    return Service(
        name,
        command(settings, name),
        ready=_online(settings, keys, name),
        environment=environment(settings, keys, folder),
        grace=30,
    )


def services(settings: Settings, keys: Keys) -> list[Service]:
    """As many as there shall be."""
    return [service(settings, keys, f"worker-{n}") for n in range(1, settings.workers + 1)]


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
