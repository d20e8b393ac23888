"""A ledger in a SQLite file: one writer at a time, and what is committed is on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError

from patchae.errors import StoreUnreachable
from patchae.files import sha256_bytes, touch
from patchae.registry.ledger_store import busy, closing
from patchae.registry.ledger_tables import rows
from patchae.settings import settings

_POLL_SECONDS = 0.01


class FileStore:
    """A ledger in a SQLite file. Reading one that does not exist does not make it."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._read, self._write = (_engine(path, writing=writing) for writing in (False, True))

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """As `Store.reading`."""
        with self.translated():
            if not self._path.exists():
                yield None
                return
            with self._read.connect() as connection:
                # A crash before the first commit leaves an empty file.
                yield connection if inspect(connection).has_table(rows.name) else None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """As `Store.writing`."""
        with self.translated():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            touch(self._path)
            connection = self._write.connect()
        with closing(self, connection):
            yield connection

    @contextmanager
    def turn(self, model: str) -> Iterator[Connection]:
        """As `Store.turn`."""
        from filelock import FileLock, Timeout

        name = f"{self._path.name}.{sha256_bytes(model.encode())[:16]}.lock"
        lock = FileLock(self._path.with_name(name))
        with self.translated():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(settings().lock_timeout, poll_interval=_POLL_SECONDS)
            except Timeout:
                raise busy(f"been moving {model}", self.where) from None
        try:
            with self.writing() as connection:
                yield connection
        finally:
            lock.release()

    def now(self, connection: Connection | None = None) -> datetime:
        """As `Store.now`: that of this machine, the only one that uses the file."""
        del connection
        return datetime.now(UTC)

    def claim(self, connection: Connection) -> None:
        """As `Store.claim`; a transaction has the chain from its BEGIN on."""

    @contextmanager
    def translated(self) -> Iterator[None]:
        """As `Store.translated`."""
        try:
            yield
        except (DBAPIError, OSError) as error:
            said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            if isinstance(error, DBAPIError) and "locked" in said:
                raise busy("held the ledger", self.where) from None
            raise StoreUnreachable(
                f"the ledger cannot be used: {said}",
                where=self.where,
                mend="check the file, its permissions and the disk; or restore it from a backup",
            ) from None


def _engine(path: Path, *, writing: bool) -> Engine:
    # No pool: nothing is shared between threads or inherited by forked processes.
    engine = create_engine(
        URL.create(
            "sqlite",
            database=path.absolute().as_uri(),
            query={"mode": "rwc" if writing else "rw", "uri": "true"},
        ),
        poolclass=NullPool,
    )

    @event.listens_for(engine, "do_connect")
    def patience(_dialect: Any, _record: Any, _given: Any, parameters: dict[str, Any]) -> None:
        parameters["timeout"] = settings().lock_timeout

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is said below, not guessed by the driver
        connection.text_factory = _text
        # FULL, and the folder too once the journal is gone: a commit outlives a power cut.
        connection.execute("PRAGMA synchronous = EXTRA")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _text(stored: bytes) -> str:
    # Bytes that are no UTF-8 are somebody's tampering: `verify` must get to see them.
    return stored.decode(errors="surrogateescape")
