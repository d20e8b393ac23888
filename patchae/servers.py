"""What `patchae doctor` asks of servers: who am I there, what may I do, what time is it.

Nothing is left behind: MLflow is asked to change what does not exist, the row of the ledger is
taken back, and the object in S3 is deleted. A server that is not configured is not asked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from patchae.dataset.dvc_config import remote_address
from patchae.errors import AccessRefused, ConfigError, PatchaeError, StoreUnreachable, UsageError
from patchae.network import MLFLOW, not_the_api, shown
from patchae.preflight import NOBODY, REGISTERED, append_nothing
from patchae.project import Project
from patchae.registry.mlflow_answers import MEND_ACCOUNT, account, ask, is_server, probe
from patchae.settings import settings

if TYPE_CHECKING:
    from requests import Response

    from patchae.registry.chain import Kind

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
    probe(uri)
    who, api = account(), "/api/2.0"
    asked = ask(uri, "GET", f"{api}/mlflow-artifacts/artifacts")
    if asked.status_code in (401, 403):
        raise AccessRefused(
            f"MLflow does not let the account '{who or 'nobody'}' read",
            where=shown(uri),
            mend=MEND_ACCOUNT,
        )
    told = _fitting("MLflow", ask(uri, "GET", "/version").text, "mlflow", shown(uri))
    # A server whose clients go to the store themselves says so with 503, and names the option.
    elsewhere = asked.status_code == 503 and "--serve-artifacts" in asked.text
    if asked.status_code >= 500 and not elsewhere:
        raise StoreUnreachable(
            f"MLflow cannot read its store of artifacts: it answers {asked.status_code}",
            where=shown(uri),
            mend="look into the server's log: address, key and bucket of its artifacts",
        )
    models = f"{api}/mlflow/registered-models"
    new = ask(uri, "POST", f"{models}/set-tag", body={"name": NOBODY, "key": "k"})
    may = ["read"] if new.status_code == 403 else ["read", "register"]
    present = _content(ask(uri, "GET", f"{models}/search?max_results=1"))
    unknown = "; whether aliases, is seen once there is a model"
    for model in present.get("registered_models", ()):  # MLflow does not tell without one
        body = {"name": model["name"], "alias": NOBODY}
        moved = ask(uri, "DELETE", f"{models}/alias", body=body)
        may += ["move aliases"] if moved.status_code != 403 else []
        unknown = ""
    past = "; artifacts go past the server (--no-serve-artifacts)" if elsewhere else ""
    return f"{told}, account {who or 'none'}, may {', '.join(may)}{unknown}{past}"


def _content(answer: Response) -> dict[str, Any]:
    """What MLflow's API says.

    Raises:
        StoreUnreachable: it is something else, such as a page for people.
    """
    with suppress(ValueError):
        if isinstance(said := answer.json(), dict):
            return said
    raise not_the_api(MLFLOW, answer.url, answer.status_code, "the server's own address")


def ledger_server(project: Project) -> str | None:
    """Of a ledger on a server: what this account may append; None without a server.

    Raises:
        StoreUnreachable: it cannot be used.
    """
    if not settings().ledger_url:
        return None
    from patchae.registry.ledger import Ledger

    ledger = Ledger.of(project)
    move = {"to": "0", "from": None, "why": "promoted", "reason": "", "verdict": None}
    may = ["read"]
    rows: list[tuple[str, Kind, dict[str, Any]]] = [
        ("register", "registered", REGISTERED),
        ("move champions", "move", move),
    ]
    for what, kind, body in rows:
        try:
            append_nothing(ledger, kind, body)
        except AccessRefused:
            continue
        may.append(what)
    return f"this account may {', '.join(may)}"


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


class PrefectServer(Protocol):
    """What the checks ask of a server of Prefect; each may raise `PatchaeError`."""

    @property
    def url(self) -> str:
        """Its API."""

    def version(self) -> str:
        """Which version it is of; asks for whatever account the client was given."""

    def live_workers(self, pool: str) -> int | None:
        """How many live workers a pool has; None when there is no such pool."""

    def date(self) -> str | None:
        """The time of an answer, as HTTP writes it."""


def prefect_server(prefect: PrefectServer) -> str:
    """Of Prefect's server: its version, and that it lets us in.

    Raises:
        NotFitting: its version differs in more than its last part.
        AccessRefused: it does not know the key.
        StoreUnreachable: it does not answer.
    """
    return _fitting("Prefect", prefect.version(), "prefect", shown(prefect.url))


def clocks(project: Project, prefect: PrefectServer | None) -> dict[str, float]:
    """How many seconds each configured server is ahead of this machine; as far as one can tell.

    A server that does not answer is not in it: another check says so.
    """
    found, address = {}, None
    with suppress(ConfigError):  # the check `data` says it
        address = remote_address(project)
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    places: dict[str, Callable[[], str | None]] = {}
    if is_server(uri):
        places["MLflow"] = lambda: ask(uri, "GET", "/health").headers.get("Date")
    if prefect:
        places["Prefect"] = prefect.date
    if address:
        place = address
        places["S3"] = lambda: _s3_date(place)
    for name, date in places.items():
        with suppress(PatchaeError):
            ahead = _ahead(date)
            if ahead is not None:
                found[name] = 0.0 if abs(ahead) <= _GRACE else ahead
    return found


def _s3_date(address: str) -> str | None:
    from patchae.dataset.bucket import server_date

    return server_date(address)


def _ahead(date: Callable[[], str | None]) -> float | None:
    began = time.time()
    if not (said := date()):
        return None
    here = (began + time.time()) / 2
    return parsedate_to_datetime(said).timestamp() + 0.5 - here


def _fitting(name: str, there: str, package: str, where: str) -> str:
    here = version(package)
    if there.split(".")[:2] != here.split(".")[:2]:
        raise NotFitting(
            f"{name}'s server is version {there[:40]}, the library here is {here}",
            where=where,
            mend=f"install the same on both sides: {package}=={here}",
        )
    return f"{name} {there} at {where}"
