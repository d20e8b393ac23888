"""MLflow's database, tried before MLflow does: that tries for minutes, or breaks."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from urllib.parse import urlsplit

from patchae.errors import ConfigError
from patchae.network import MLFLOW, shown, unreachable

_OURS = "postgresql+psycopg"
_DATABASES = {"postgresql": _OURS, "mysql": "mysql+pymysql", "mssql": "mssql+pymssql"}
"""What MLflow stores in besides SQLite, each with a driver that is one package."""
_SECONDS = 10


def check_address(uri: str) -> None:
    """Refuse an address that MLflow could do nothing with.

    Raises:
        ConfigError: it is no URL, or nothing that is installed speaks its scheme.
    """
    try:
        url = urlsplit(uri)
    except ValueError:  # a password may stand anywhere in it
        raise _not_usable("it is no URL", "") from None
    kind = url.scheme.partition("+")[0]
    if uri.partition(":")[0] == "databricks":
        raise _not_usable("patchae does not work with Databricks", uri)
    if kind in ("", "file") and not os.environ.get("MLFLOW_ALLOW_FILE_STORE"):
        raise _not_usable("it names a folder, and MLflow writes to databases and servers", uri)
    if kind in ("http", "https") and not url.hostname:
        raise _not_usable("it names no host", uri)
    known = (*_DATABASES, "", "file", "sqlite", "http", "https")
    if kind not in known and not entry_points(group="mlflow.tracking_store", name=url.scheme):
        raise _not_usable(f"nothing here speaks '{url.scheme}'", uri)


def probe_database(uri: str) -> None:
    """Connect once to MLflow's store, if it is a database on a server.

    Raises:
        ConfigError: its driver is not installed, or not one that MLflow can use.
        StoreUnreachable: the database does not answer, or does not let this account in.
    """
    kind, _, driver = urlsplit(uri).scheme.partition("+")
    if kind not in _DATABASES:
        return
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        wait = {"connect_timeout": _SECONDS} if kind == "postgresql" else {}
        engine = create_engine(uri, poolclass=NullPool, connect_args=wait)
    except ImportError as error:
        raise _not_usable(f"the driver '{driver or error.name}' is not installed", uri) from None
    except (ArgumentError, ValueError) as error:
        unknown = isinstance(error, NoSuchModuleError)
        why = f"there is no driver '{driver}'" if unknown else "it is no URL"
        raise _not_usable(why, uri if unknown else "") from None
    if engine.dialect.is_async:
        raise _not_usable(f"MLflow cannot use the driver '{driver}'", uri)
    try:
        engine.connect().close()
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        mend = f"start the database or correct {MLFLOW.address}: host, name, password"
        raise unreachable(MLFLOW, uri, error, why=why, mend=mend) from None


def _not_usable(why: str, uri: str) -> ConfigError:
    scheme = uri.partition(":")[0]
    kind = scheme.partition("+")[0]
    if kind in _DATABASES and kind != "postgresql":
        driver = _DATABASES[kind]
        mend = f"pip install {driver.partition('+')[2]}, and write {driver}://..."
    elif kind.startswith("postgres"):
        mend = f"write {_OURS}:// in place of {scheme}://"
    else:
        mend = f"write http://, https:// or {_OURS}://; unset it for the embedded store"
    return ConfigError(
        f"{MLFLOW.address} is not usable: {why}", where=shown(uri) or "the environment", mend=mend
    )
