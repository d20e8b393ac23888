"""A ledger in a PostgreSQL database, for projects whose workers run on several machines.

Both locks are advisory ones. A connection pooler in between must keep a session on one connection
(session pooling): the turn of a model is held by the session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from patchae.errors import AccessRefused, ConfigError
from patchae.network import LEDGER, unreachable
from patchae.registry.ledger_store import busy, closing
from patchae.registry.ledger_tables import rows
from patchae.settings import settings

_DRIVER = "postgresql+psycopg"
_CONNECT_SECONDS = 10


class ServerStore:
    """A ledger in a PostgreSQL database, one for each project.

    Raises:
        ConfigError: the URL is none, or one of another database or driver.
    """

    def __init__(self, url: str) -> None:
        address = _address(url)
        # Whatever else a URL may hold, a password among it, is nobody's business in a message.
        self.where = URL.create(
            "postgresql",
            username=address.username,
            host=address.host,
            port=address.port,
            database=address.database,
        ).render_as_string()
        self._read = _engine(address, isolation="REPEATABLE READ")
        self._write = _engine(address, isolation="READ COMMITTED")

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """As `Store.reading`."""
        with self.translated(), self._read.connect() as connection:
            yield connection if inspect(connection).has_table(rows.name) else None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """As `Store.writing`."""
        with self.translated():
            connection = self._write.connect()
        with closing(self, connection):
            yield connection

    @contextmanager
    def turn(self, model: str) -> Iterator[Connection]:
        """As `Store.turn`; the lock is the session's and ends with the connection."""
        with self.writing() as connection:
            with self.translated(), connection.begin():
                connection.execute(
                    text("SELECT pg_advisory_lock(:space, :model)"),
                    {"space": _number("patchae", 4), "model": _number(model, 4)},
                )
            yield connection

    def now(self, connection: Connection | None = None) -> datetime:
        """As `Store.now`: that of the server, whatever the clocks of the machines show."""
        if connection is None:
            with self.writing() as opened, self.translated():
                return self.now(opened)
        found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return found.astimezone(UTC)

    def claim(self, connection: Connection) -> None:
        """As `Store.claim`."""
        # A commit is on the disk when it returns, also where the database was told otherwise.
        connection.execute(
            text(
                "SELECT set_config('synchronous_commit', 'on', true)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        )
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:chain)"), {"chain": _number("patchae ledger", 8)}
        )

    @contextmanager
    def translated(self) -> Iterator[None]:
        """As `Store.translated`."""
        from psycopg import Error
        from psycopg.errors import InsufficientPrivilege, LockNotAvailable

        try:
            yield
        except (DBAPIError, Error) as error:
            found = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(found, LockNotAvailable):
                raise busy("held the ledger", self.where) from None
            if isinstance(found, InsufficientPrivilege):
                raise AccessRefused(
                    "the ledger does not take such a row from this account",
                    where=self.where,
                    mend="use an account that may: a trainer to register and judge, a promoter to"
                    " move the champion",
                ) from None
            said = str(found).strip().partition("\n")[0]
            mend = "start the database or correct PATCHAE_LEDGER_URL: server, name, password"
            raise unreachable(LEDGER, self.where, error, why=said, mend=mend) from None


def _address(url: str) -> URL:
    # Nothing of the text is shown: it may hold a password wherever it went wrong.
    mend = f"write {_DRIVER}://USER:PASSWORD@HOST:PORT/DATABASE, or unset it: the embedded file"
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        why = "it is no URL"
    else:
        if address.drivername == _DRIVER and address.database:
            return address
        why = f"it names no database of {_DRIVER}"
    raise ConfigError(
        f"PATCHAE_LEDGER_URL is not usable: {why}", where="the environment", mend=mend
    )


def _engine(address: URL, *, isolation: Literal["READ COMMITTED", "REPEATABLE READ"]) -> Engine:
    engine = create_engine(
        address,
        poolclass=NullPool,
        isolation_level=isolation,
        connect_args={"client_encoding": "utf8"},
        hide_parameters=True,
    )

    @event.listens_for(engine, "do_connect")
    def on_do_connect(_dialect: Any, _record: Any, _given: Any, parameters: dict[str, Any]) -> None:
        parameters.setdefault("connect_timeout", _CONNECT_SECONDS)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.autocommit = True
        # 0 would be for ever, and more than 31 bits an error
        wait_ms = min(max(1, round(settings().lock_timeout * 1000)), 2**31 - 1)
        connection.execute(f"SET lock_timeout = {wait_ms}")
        connection.autocommit = False

    return engine


def _number(name: str, size: int) -> int:
    """A lock's number: advisory locks have no other names."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:size], signed=True)
