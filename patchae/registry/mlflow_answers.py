"""What MLflow answers instead of what was asked for: one message each, within seconds.

A server that does not answer is said so as `StoreUnreachable`, instead of after MLflow's minutes of
retries; an account that may not do what was asked is `AccessRefused`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from patchae.errors import AccessRefused, ConfigError, PatchaeError, UsageError
from patchae.network import MLFLOW, shown, unreachable
from patchae.registry.database import check_address, probe_database

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException
    from requests import Response

_DELETED = "must be in the 'active' state"
"""In MLflow's answer to who writes to a run or an experiment that was deleted."""
SECONDS = 10
_PROBE_SECONDS = 5
_BEARER = "of MLFLOW_TRACKING_TOKEN"
"""Who asks, where nothing but a token says it."""
MEND_ACCOUNT = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


def absent(error: MlflowException) -> bool:
    """Whether MLflow says that there is no such thing."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def is_server(uri: str) -> bool:
    """Whether MLflow is a server, and no store in files."""
    return uri.startswith(("http://", "https://"))


def probe(uri: str) -> None:
    """Ask whether a server or a database is there; nothing to ask of a store in files.

    Raises:
        ConfigError: the address, or what it needs, cannot be used.
        AccessRefused: the server does not know the account.
        StoreUnreachable: it does not answer.
    """
    check_address(uri)
    if not is_server(uri):
        probe_database(uri)
        return
    answer = ask(uri, "GET", "/health", seconds=_PROBE_SECONDS)
    if answer.status_code == 401:
        raise _refused(uri, "UNAUTHENTICATED")
    if answer.status_code >= 500:
        raise _unreachable(uri, f"it answers {answer.status_code}")


def ask(uri: str, method: str, path: str, *, body: Any = None, seconds: int = SECONDS) -> Response:
    """Ask an MLflow server once, as MLflow's own client does: accounts, certificates, proxies.

    Raises:
        ConfigError: what is set for MLflow's client cannot be used.
        StoreUnreachable: there is no answer.
    """
    from configparser import Error

    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        account = get_default_host_creds(uri)
    except (MlflowException, Error, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(
            f"MLflow's client cannot be set up: {str(error).partition(chr(10))[0]}",
            where="MLFLOW_TRACKING_*, or ~/.mlflow/credentials",
            mend="correct or unset it",
        ) from None
    try:
        return http_request(  # type: ignore[no-any-return]
            account, path, method, max_retries=0, raise_on_status=False, timeout=seconds, json=body
        )
    except MlflowException as error:
        cause = error.__cause__ or error.__context__ or error
        raise _unreachable(uri, f"no answer ({type(cause).__name__})", error) from None


def account() -> str | None:
    """Return who asks an MLflow server: a name, or that there is only a token; None for nobody."""
    from mlflow.environment_variables import MLFLOW_TRACKING_TOKEN
    from mlflow.utils.credentials import read_mlflow_creds

    known = read_mlflow_creds()
    if known.username and known.password:  # MLflow's client does without a name alone
        return str(known.username)
    return _BEARER if MLFLOW_TRACKING_TOKEN.get() else None


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Errors of MLflow and of what lies under it, as one that says where and what to do."""
    try:
        yield
    except (ImportError, NameError, TypeError):  # a defect of ours is not the server's
        raise
    except Exception as error:
        from mlflow.exceptions import MlflowException
        from requests import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        if not isinstance(error, MlflowException | RequestException | SQLAlchemyError):
            raise
        code = getattr(error, "error_code", None)
        if code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
            raise _refused(uri, code) from None
        why = str(error).partition("\n")[0]
        if _DELETED in why:
            raise UsageError(
                f"MLflow does not change what was deleted in it: {why}",
                where=shown(uri),
                mend="bring it back with `mlflow runs restore --run-id ID` or `mlflow experiments"
                " restore --experiment-id ID`",
            ) from None
        raise _unreachable(uri, why, error) from error


def _refused(uri: str, code: str) -> AccessRefused:
    who = account()
    if code == "UNAUTHENTICATED":
        return AccessRefused(
            "MLflow asks for an account, and none is given"
            if who is None
            else "MLflow does not know this token"
            if who == _BEARER
            else f"MLflow does not know the account '{who}', or not with this password",
            where=shown(uri),
            mend=MEND_ACCOUNT,
        )
    return AccessRefused(
        f"MLflow does not let the account '{who or 'nobody'}' do that",
        where=shown(uri),
        mend="use an account that may: a trainer to register models, a promoter to move aliases",
    )


def _unreachable(uri: str, why: str, error: Exception | None = None) -> PatchaeError:
    mend = "start the server or correct MLFLOW_TRACKING_URI; unset it for the embedded store"
    return unreachable(MLFLOW, uri, error or RuntimeError(why), why=shown(why), mend=mend)
