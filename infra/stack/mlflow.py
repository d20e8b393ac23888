"""MLflow's server on PostgreSQL and S3, with accounts; `rules` says what each of them may do.

Artifacts go through the server, so that clients need no key of S3 for them.
"""

from __future__ import annotations

import glob
import sys
from typing import Any
from urllib.parse import urlsplit

from infra.stack import rules, s3
from infra.stack.keys import ACCOUNTS, Keys, private
from infra.stack.process import Service, answers
from infra.stack.settings import ROOT, Settings
from patchae.errors import StoreUnreachable

ADMIN = "admin"
_RULES = "infra.stack.rules:authorize"


def command(settings: Settings) -> list[str]:
    """How the server is started; addresses with passwords are in its environment."""
    return [
        *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
        *("--host", settings.bind, "--port", str(settings.ports["mlflow"]), "--workers", "1"),
        *("--artifacts-destination", "s3://mlflow", "--serve-artifacts"),
    ]


def environment(settings: Settings, keys: Keys) -> dict[str, str]:
    """What the server needs to know."""
    return {
        **s3.environment(settings, "mlflow", keys["s3_mlflow"]),
        "PYTHONPATH": str(ROOT),  # for the rules
        "MLFLOW_BACKEND_STORE_URI": settings.database(
            "mlflow", "mlflow", keys["postgres_mlflow"], "psycopg"
        ),
        "MLFLOW_AUTH_CONFIG_PATH": str(settings.home / "mlflow" / "accounts.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": keys["mlflow_admin"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": keys["mlflow_session"],
        **_asked_as(settings),
        rules.TRAINERS: settings.mlflow_trainers,
        rules.PROMOTERS: settings.mlflow_promoters,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }


def _asked_as(settings: Settings) -> dict[str, str]:
    """Which addresses a request may name: the server refuses all others, and pages from elsewhere.

    Behind a proxy that is the proxy's; a browser leaves out the port that goes without saying.
    """
    hosts, origins = ["localhost", "127.0.0.1"], []
    for url in (settings.url("mlflow"), settings.mlflow_url):
        if not url:
            continue
        parts = urlsplit(url)
        name = str(parts.hostname)
        host = f"[{name}]" if ":" in name else name
        said = parts.port in (None, {"http": 80, "https": 443}[parts.scheme])
        hosts.append(host)
        origins.append(f"{parts.scheme}://{host}" + ("" if said else f":{parts.port}"))
    return {
        # A name with a star is a pattern, where a bracket means something else.
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(
            [*hosts, *(f"{glob.escape(host)}:*" for host in hosts)]
        ),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(origins),
    }


def service(settings: Settings, keys: Keys) -> Service:
    """The server."""
    # `rules` decide by what an account is, and whoever is no trainer or promoter only reads.
    accounts = settings.database("mlflow_auth", "mlflow", keys["postgres_mlflow"], "psycopg")
    private(
        settings.home / "mlflow" / "accounts.ini",
        "[mlflow]\n"
        "default_permission = MANAGE\n"
        f"database_uri = {accounts}\n"
        f"admin_username = {ADMIN}\n"
        f"authorization_function = {_RULES}\n"
        "auth_cache_ttl_seconds = 60\n",
    )
    return Service(
        "mlflow",
        command(settings),
        ready=lambda: answers(f"{settings.url('mlflow')}/health"),
        where=settings.url("mlflow"),
        environment=environment(settings, keys),
    )


def setup(settings: Settings, keys: Keys) -> None:
    """The accounts; repeatable."""
    for account in ACCOUNTS:
        password = keys[f"mlflow_{account}"]
        if _ask(settings, "GET", "users/current", (account, password)).status_code == 200:
            continue
        admin = (ADMIN, keys["mlflow_admin"])
        said = {"username": account, "password": password}
        made = _ask(settings, "POST", "users/create", admin, said)
        if made.status_code != 200:  # it is there, and its secret was replaced
            made = _ask(settings, "PATCH", "users/update-password", admin, said)
        if made.status_code != 200:
            raise StoreUnreachable(
                f"MLflow makes no account {account}: it answers {made.status_code}",
                where=settings.url("mlflow"),
                mend="look into logs/mlflow.log of the stack's folder",
            )


def _ask(
    settings: Settings,
    method: str,
    path: str,
    who: tuple[str, str],
    body: dict[str, str] | None = None,
) -> Any:
    import requests

    return requests.request(
        method, f"{settings.url('mlflow')}/api/2.0/mlflow/{path}", auth=who, json=body, timeout=30
    )
