"""The ledger: an append-only, hash-chained table of every registration, verdict and move.

It is the truth about what is deployed; the aliases in MLflow follow it. Promises:

- a row that `append` returned is on the disk and stays there; nothing updates or deletes rows
- appends happen one after the other, whatever the number of processes: the chain never forks
- `verify` names every row that was changed, removed, inserted or exchanged since it was written
- a `kill -9` at any moment leaves the rows that were there before, or those and the new one
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    DDL,
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    NullPool,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from patchae.errors import AuditBroken, StoreBusy, StoreUnreachable
from patchae.project import Project
from patchae.registry import signing
from patchae.registry.chain import GENESIS, Entry, Kind, Row, faults, follow
from patchae.registry.signing import Signature, Signer
from patchae.registry.standing import Champion, champion_of, last_verdict, open_promotion
from patchae.settings import settings

__all__ = [
    "GENESIS",
    "Champion",
    "Entry",
    "Kind",
    "Ledger",
    "Row",
    "Transaction",
    "champion_of",
    "faults",
    "last_verdict",
    "open_promotion",
]

_metadata = MetaData()
_table = Table(
    "ledger",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("time", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("body", Text, nullable=False),
    # Unique: even without a lock two rows could not follow the same one.
    Column("previous", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),
    sqlite_strict=True,
)
_signatures = Table(
    "signature",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)
for _change in ("UPDATE", "DELETE"):
    _trigger = DDL(  # type: ignore[no-untyped-call]
        f"CREATE TRIGGER signature_no_{_change.lower()} BEFORE {_change} ON signature"
        " BEGIN SELECT RAISE(ABORT, 'signatures of the ledger are never changed'); END"
    )
    event.listen(_signatures, "after_create", _trigger.execute_if(dialect="sqlite"))
for _statement in (
    "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'rows of the ledger are never changed'); END",
    "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'rows of the ledger are never deleted'); END",
    # INSERT OR REPLACE deletes without firing the trigger above.
    "CREATE TRIGGER ledger_at_the_end BEFORE INSERT ON ledger"
    " WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM ledger)"
    " BEGIN SELECT RAISE(ABORT, 'rows of the ledger are only appended'); END",
):
    _trigger = DDL(_statement)  # type: ignore[no-untyped-call]
    event.listen(_table, "after_create", _trigger.execute_if(dialect="sqlite"))


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The ledger in one SQLite file. Reading one that does not exist finds no rows.

    While `PATCHAE_LEDGER_KEY` names a key, what is appended is signed with it.

    Every method may raise `StoreBusy` (another process holds it for longer than
    `PATCHAE_LOCK_TIMEOUT`) or `StoreUnreachable` (the file is not a ledger, or cannot be used).
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = _now) -> None:
        self.path = path
        self._clock = clock

    @classmethod
    def of(cls, project: Project) -> Ledger:
        """The ledger of a project."""
        return cls(project.ledger)

    def entries(self, model: str | None = None) -> list[Entry]:
        """All entries, or those of one model, oldest first.

        Raises:
            AuditBroken: a row cannot be read.
        """
        with self._reading() as connection:
            return _entries(connection, model) if connection else []

    def signed_rows(self) -> tuple[list[Row], dict[int, Signature]]:
        """All rows as they are stored, oldest first, altered or not, and their signatures."""
        with self._reading() as connection:
            if connection is None:
                return [], {}
            signed = inspect(connection).has_table(_signatures.name)  # not before the first key
            stored = connection.execute(select(_signatures)) if signed else ()
            return _rows(connection), {seq: Signature(*one) for seq, *one in stored}

    def head(self) -> Entry | None:
        """The newest entry; None when there is none. Its digest stands for the whole ledger."""
        with self._reading() as connection:
            row = _head(connection) if connection else None
        return _entry(row) if row else None

    def verify(self) -> list[str]:
        """What is wrong with the chain, one sentence per fault; empty when it is intact.

        `chain.faults` says what it finds, and which two things no chain can show.
        """
        rows, signatures = self.signed_rows()
        return faults(rows) + signing.faults(rows, signatures)

    def append(self, kind: Kind, model: str, body: Mapping[str, Any], actor: str) -> Entry:
        """Write one entry and return it as `entries` will.

        Raises:
            ValueError, TypeError: the body lacks a key of its kind, or holds what JSON cannot.
            ConfigError: `PATCHAE_LEDGER_KEY` names no key.
        """
        with self.transaction() as transaction:
            return transaction.append(kind, model, body, actor)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Hold the ledger for writing: what is read inside still holds when it is appended.

        All that was appended is kept when the block ends, and nothing when it raises.
        """
        with _translated(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = _engine(self.path, writing=True).connect()
        with closing(connection):
            with _translated(self.path):
                _metadata.create_all(connection)
            yield Transaction(connection, self.path, self._clock)
            # Closing without this commit rolls back.
            with _translated(self.path):
                connection.commit()

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        with _translated(self.path):
            if not self.path.exists():
                yield None
                return
            with _engine(self.path, writing=False).connect() as connection:
                # A crash before the first commit leaves an empty file.
                yield connection if inspect(connection).has_table(_table.name) else None


class Transaction:
    """The ledger while this process alone may write to it."""

    def __init__(self, connection: Connection, path: Path, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock

    def entries(self, model: str | None = None) -> list[Entry]:
        """As `Ledger.entries`, including what was appended in this transaction."""
        with _translated(self._path):
            return _entries(self._connection, model)

    def append(self, kind: Kind, model: str, body: Mapping[str, Any], actor: str) -> Entry:
        """As `Ledger.append`; kept only when the transaction ends without an error."""
        signer = Signer.configured()
        time = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with _translated(self._path):
            entry = follow(
                _head(self._connection), time=time, kind=kind, model=model, actor=actor, body=body
            )
            self._connection.execute(insert(_table).values(asdict(entry.row())))
            if signer:
                signature = asdict(signer.sign(entry.digest))
                self._connection.execute(insert(_signatures).values(seq=entry.seq, **signature))
        return entry


def _rows(connection: Connection, model: str | None = None) -> list[Row]:
    query = select(_table).order_by(_table.c.seq)
    if model is not None:
        query = query.where(_table.c.model == model)
    return [Row(*row) for row in connection.execute(query)]


def _head(connection: Connection) -> Row | None:
    query = select(_table).order_by(_table.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Row(*row) if row else None


def _entries(connection: Connection, model: str | None) -> list[Entry]:
    return [_entry(row) for row in _rows(connection, model)]


def _entry(row: Row) -> Entry:
    try:
        return Entry.of(row)
    except (ValueError, TypeError, RecursionError) as error:
        raise AuditBroken(
            f"row {row.seq} of the ledger cannot be read: {error}",
            where="the ledger",
            mend="the row was altered: restore the ledger from a backup",
        ) from None


def _engine(path: Path, *, writing: bool) -> Engine:
    # Only this function and the triggers know SQLite. Every connection is opened for one call, so
    # that nothing is shared between threads or inherited by forked processes.
    url = URL.create(
        "sqlite",
        database=path.absolute().as_uri(),
        query={"mode": "rwc" if writing else "rw", "uri": "true"},
    )
    engine = create_engine(
        url, poolclass=NullPool, connect_args={"timeout": settings().lock_timeout}
    )

    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is said below, not guessed by the driver
        connection.text_factory = _text
        # FULL, and the folder too once the journal is gone: a commit outlives a power cut.
        connection.execute("PRAGMA synchronous = EXTRA")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _text(stored: bytes) -> str:
    # Bytes that are no UTF-8 are somebody's tampering: `verify` must get to see them.
    return stored.decode(errors="surrogateescape")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, OSError) as error:
        said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        if isinstance(error, DBAPIError) and "locked" in said:
            raise StoreBusy(
                f"another process held the ledger for more than {settings().lock_timeout:.0f} s",
                where=str(path),
                mend="wait for it to end, or raise PATCHAE_LOCK_TIMEOUT",
            ) from None
        raise StoreUnreachable(
            f"the ledger cannot be used: {said}",
            where=str(path),
            mend="check the file, its permissions and the disk; or restore it from a backup",
        ) from None
