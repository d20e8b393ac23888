"""Prefect's server on PostgreSQL, behind one key; its slots survive a restart."""

from __future__ import annotations

import sys

from infra.stack.keys import Keys
from infra.stack.process import Service, answers
from infra.stack.settings import Settings

_LEASES = "prefect.server.concurrency.lease_storage.filesystem"


def command(settings: Settings) -> list[str]:
    """How the server is started."""
    return [
        *(sys.executable, "-m", "prefect", "server", "start", "--host", settings.bind),
        *("--port", str(settings.ports["prefect"])),
    ]


def environment(settings: Settings, keys: Keys) -> dict[str, str]:
    """What the server needs to know."""
    return {
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_API_DATABASE_CONNECTION_URL": settings.database(
            "prefect", "prefect", keys["postgres_prefect"], "asyncpg"
        ),
        "PREFECT_SERVER_API_AUTH_STRING": auth_string(keys),
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": _LEASES,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Asked by a browser, which may be where the name of the server means nothing.
        "PREFECT_SERVER_UI_API_URL": settings.prefect_ui_api_url
        or f"{settings.url('prefect')}/api",
        "DO_NOT_TRACK": "1",
    }


def auth_string(keys: Keys) -> str:
    """The one name and password of Prefect's API."""
    return f"patchae:{keys['prefect']}"


def client_environment(settings: Settings, keys: Keys) -> dict[str, str]:
    """What reaches the server."""
    return {
        "PREFECT_API_URL": f"{settings.url('prefect')}/api",
        "PREFECT_API_AUTH_STRING": auth_string(keys),
    }


def service(settings: Settings, keys: Keys) -> Service:
    """The server."""
    (settings.home / "prefect").mkdir(parents=True, exist_ok=True)
    return Service(
        "prefect",
        command(settings),
        ready=lambda: answers(f"{settings.url('prefect')}/api/health"),
        where=settings.url("prefect"),
        environment=environment(settings, keys),
    )
