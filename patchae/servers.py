"""What `patchae doctor` asks of servers: who am I there, what may I do, what time is it.

Nothing is left behind: MLflow is asked to change what does not exist, the row of the ledger is
taken back, and the object in S3 is deleted. A server that is not configured is not asked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from patchae.asking import ask, content
from patchae.dataset.dvc_config import remote_address
from patchae.errors import AccessRefused, ConfigError, PatchaeError, StoreUnreachable, UsageError
from patchae.project import Project
from patchae.registry.mlflow_answers import is_server
from patchae.settings import settings

if TYPE_CHECKING:
    from patchae.registry.chain import Kind
    from patchae.registry.ledger import Ledger

_NOBODY = "patchae-doctor"
"""A name that no model and no alias has."""
_GRACE = 1.5
"""A header tells the time in whole seconds, and may be made a second before it is sent."""


class NotFitting(UsageError):
    """A server runs, and of another version than this machine's library."""


def mlflow_server() -> str | None:
    """Of MLflow's server: its version, the account, and what that may do; None without a server.

    Raises:
        NotFitting: its version differs in more than its last part.
        AccessRefused: it does not know the account.
        StoreUnreachable: it does not answer, or the store of artifacts that it serves does not.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not is_server(uri):
        return None
    who = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    login = (who, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if who else None
    api = f"{uri}/api/2.0"
    asked = ask("GET", f"{api}/mlflow-artifacts/artifacts", login=login)
    if asked.status_code in (401, 403):
        raise AccessRefused(
            f"MLflow does not let the account '{who or 'nobody'}' read",
            where=uri,
            mend="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    told = _fitting("MLflow", ask("GET", f"{uri}/version", login=login).text, "mlflow", uri)
    # A server whose clients go to the store themselves says so with 503, and names the option.
    elsewhere = asked.status_code == 503 and "--serve-artifacts" in asked.text
    if asked.status_code >= 500 and not elsewhere:
        raise StoreUnreachable(
            f"MLflow cannot read its store of artifacts: it answers {asked.status_code}",
            where=uri,
            mend="look into the server's log: address, key and bucket of its artifacts",
        )
    models = f"{api}/mlflow/registered-models"
    new = ask("POST", f"{models}/set-tag", login=login, body={"name": _NOBODY, "key": "k"})
    may = ["read"] if new.status_code == 403 else ["read", "register"]
    present = content(ask("GET", f"{models}/search?max_results=1", login=login), "MLflow", dict)
    unknown = "; whether aliases, is seen once there is a model"
    for model in present.get("registered_models", ()):  # MLflow does not tell without one
        body = {"name": model["name"], "alias": _NOBODY}
        moved = ask("DELETE", f"{models}/alias", login=login, body=body)
        may += ["move aliases"] if moved.status_code != 403 else []
        unknown = ""
    past = "; artifacts go past the server (--no-serve-artifacts)" if elsewhere else ""
    return f"{told}, account {who or 'none'}, may {', '.join(may)}{unknown}{past}"


def ledger_server(project: Project) -> str | None:
    """Of a ledger on a server: what this account may append; None without a server.

    Raises:
        StoreUnreachable: it cannot be used.
    """
    if not settings().ledger_url:
        return None
    from patchae.registry.ledger import Ledger

    ledger = Ledger.of(project)
    new = {"version": "0", "run_id": "", "training_key": "", "lineage_sha256": ""}
    move = {"to": "0", "from": None, "why": "promoted", "reason": "", "verdict": None}
    may = ["read"]
    rows: list[tuple[str, Kind, dict[str, Any]]] = [
        ("register", "registered", new),
        ("move champions", "move", move),
    ]
    for what, kind, body in rows:
        try:
            _append_nothing(ledger, kind, body)
        except AccessRefused:
            continue
        may.append(what)
    return f"this account may {', '.join(may)}"


def _append_nothing(ledger: Ledger, kind: Kind, body: dict[str, Any]) -> None:
    with suppress(_TakenBack), ledger.transaction() as transaction:
        transaction.append(kind, _NOBODY, body, _NOBODY)
        raise _TakenBack


class _TakenBack(Exception):
    """Ends a transaction so that nothing of it is kept."""


def bucket(project: Project) -> str | None:
    """Of a DVC remote in S3: an object was written, read and deleted; None for other remotes.

    Raises:
        ConfigError: DVC's configuration cannot be read.
        StoreUnreachable: one of the three is refused, or nobody answers.
    """
    address = remote_address(project)
    if address is None:
        return None
    from patchae.dataset.bucket import round_trip

    try:
        round_trip(f"{address.rstrip('/')}/patchae-doctor-{uuid4().hex}")
    except AccessRefused:
        return f"{address}: readable, and this account may not write"
    return f"{address}: an object was written, read and deleted"


def prefect_server() -> str | None:
    """Of Prefect's server: its version, and that it lets us in; None without a server.

    Raises:
        NotFitting: its version differs in more than its last part.
        AccessRefused: it does not know the key.
        StoreUnreachable: it does not answer.
    """
    url = _prefect()
    if url is None:
        return None
    told = ask("GET", f"{url}/admin/version", login=_prefect_login())
    if told.status_code == 401:
        raise AccessRefused(
            "Prefect does not know this key", where=url, mend="set PREFECT_API_AUTH_STRING"
        )
    return _fitting("Prefect", content(told, "Prefect", str), "prefect", url)


def workers(pool: str) -> int | None:
    """How many live workers a pool has; None when there is no such pool.

    Raises:
        StoreUnreachable: Prefect does not answer.
    """
    url = f"{_prefect()}/work_pools/{pool}/workers/filter"
    answer = ask("POST", url, login=_prefect_login(), body={})
    if answer.status_code == 404:
        return None
    if answer.status_code != 200:
        raise StoreUnreachable(
            f"Prefect does not tell its workers: it answers {answer.status_code}",
            where=url,
            mend="see the check `prefect`",
        )
    return [one["status"] for one in content(answer, "Prefect", list)].count("ONLINE")


def clocks(project: Project) -> dict[str, float]:
    """How many seconds each configured server is ahead of this machine; as far as one can tell.

    A server that does not answer is not in it: another check says so.
    """
    found, address = {}, None
    with suppress(ConfigError):  # the check `data` says it
        address = remote_address(project)
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    places = {
        "MLflow": f"{uri}/health" if is_server(uri) else None,
        "Prefect": f"{_prefect()}/health" if _prefect() else None,
        "S3": os.environ.get("AWS_ENDPOINT_URL") if address else None,
    }
    for name, ahead in _ahead(places):
        found[name] = 0.0 if abs(ahead) <= _GRACE else ahead
    return found


def _ahead(places: dict[str, str | None]) -> Iterator[tuple[str, float]]:
    for name, url in places.items():
        if url is None:
            continue
        began = time.time()
        try:
            told = ask("GET", url).headers.get("Date")
        except PatchaeError:
            continue
        if told:
            here = (began + time.time()) / 2
            yield name, parsedate_to_datetime(told).timestamp() + 0.5 - here


def _prefect() -> str | None:
    return os.environ.get("PREFECT_API_URL", "").rstrip("/") or None


def _prefect_login() -> tuple[str, str] | None:
    user, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    return (user, password) if user else None


def _fitting(name: str, there: str, package: str, where: str) -> str:
    here = version(package)
    if there.split(".")[:2] != here.split(".")[:2]:
        raise NotFitting(
            f"{name}'s server is version {there[:40]}, the library here is {here}",
            where=where,
            mend=f"install the same on both sides: {package}=={here}",
        )
    return f"{name} {there} at {where}"
