"""What MLflow answers instead of what was asked for: one message each, within seconds.

A server that does not answer is said so as `StoreUnreachable`, instead of after MLflow's minutes of
retries; an account that may not do what was asked is `AccessRefused`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from patchae.errors import AccessRefused, StoreUnreachable

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException

_PROBE_SECONDS = 5


def absent(error: MlflowException) -> bool:
    """Whether MLflow says that there is no such thing."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def is_server(uri: str) -> bool:
    """Whether MLflow is a server, and no store in files."""
    return uri.startswith(("http://", "https://"))


def probe(uri: str) -> None:
    """Ask whether a server is there; nothing to ask of a store in files.

    Raises:
        StoreUnreachable: it does not answer.
    """
    if not is_server(uri):
        return
    import requests

    try:
        answer = requests.get(f"{uri.rstrip('/')}/health", timeout=_PROBE_SECONDS)
    except requests.RequestException as error:
        raise _unreachable(uri, f"no answer ({type(error).__name__})") from None
    if answer.status_code >= 500:
        raise _unreachable(uri, f"it answers {answer.status_code}")


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
        raise _unreachable(uri, str(error).partition("\n")[0]) from error


def _refused(uri: str, code: str) -> AccessRefused:
    who = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if code == "UNAUTHENTICATED":
        return AccessRefused(
            f"MLflow does not know the account '{who}', or not with this password"
            if who
            else "MLflow asks for an account, and none is given",
            where=uri,
            mend="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    return AccessRefused(
        f"MLflow does not let the account '{who or 'nobody'}' do that",
        where=uri,
        mend="use an account that may: a trainer to register models, a promoter to move aliases",
    )


def _unreachable(uri: str, why: str) -> StoreUnreachable:
    return StoreUnreachable(
        f"MLflow cannot be used: {why}",
        where=uri,
        mend="start the server or correct MLFLOW_TRACKING_URI; unset it for the embedded store",
    )
