"""Where a ledger lies, a SQLite file or a PostgreSQL database, and how processes take turns there.

Two locks, both freed by the operating system or the server when their holder dies:

- the **chain**, held for one transaction: rows are appended one after the other
- the **turn** of one model, held over several transactions and over what is done in MLflow between
  them: champions are moved one after the other

A turn is taken before the chain, never the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from patchae.errors import StoreBusy
from patchae.settings import settings


class Store(Protocol):
    """A place for a ledger. Nothing is connected before one of the methods is entered."""

    where: str
    """For messages; without a password."""

    def reading(self) -> AbstractContextManager[Connection | None]:
        """A connection that sees one state of the ledger; None where there is no ledger yet."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection for transactions."""

    def turn(self, model: str) -> AbstractContextManager[Connection]:
        """As `writing`, while no other process or thread has the turn of this model."""

    def now(self, connection: Connection | None = None) -> datetime:
        """The time by the clock that dates the rows, aware, in UTC; one for all who write to it."""

    def claim(self, connection: Connection) -> None:
        """Wait for the chain; held until the transaction of this connection ends."""

    def translated(self) -> AbstractContextManager[None]:
        """Errors of the database inside as `StoreBusy` or `StoreUnreachable`."""


@contextmanager
def closing(store: Store, connection: Connection) -> Iterator[Connection]:
    """Close the connection at the end; what was not committed is gone."""
    try:
        yield connection
    finally:
        with store.translated():
            connection.close()


def busy(what: str, where: str) -> StoreBusy:
    """The error of whoever waited for `PATCHAE_LOCK_TIMEOUT`; `what` another process does."""
    return StoreBusy(
        f"another process has {what} for more than {settings().lock_timeout:.0f} s",
        where=where,
        mend="wait for it to end, or raise PATCHAE_LOCK_TIMEOUT",
    )
