"""The ledger: an append-only, hash-chained table of every registration, verdict and move.

It is the truth about what is deployed; the aliases in MLflow follow it. Promises:

- a row that `append` returned is on the disk and stays there; nothing updates or deletes rows
- appends happen one after the other, whatever the number of processes: the chain never forks
- `verify` names every row that was changed, removed, inserted or exchanged since it was written
- a `kill -9` at any moment leaves the rows that were there before, or those and the new one
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from platform import node
from typing import Any

from sqlalchemy import Connection, insert, select

from patchae.errors import AuditBroken
from patchae.project import Project
from patchae.registry import ledger_tables as tables
from patchae.registry import signing
from patchae.registry.chain import GENESIS, Entry, Kind, Row, faults, follow
from patchae.registry.ledger_postgres import ServerStore
from patchae.registry.ledger_sqlite import FileStore
from patchae.registry.ledger_store import Store
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


Kinds = Collection[Kind] | None


class Ledger:
    """The ledger in one store. Reading one that does not exist finds no rows.

    While `PATCHAE_LEDGER_KEY` names a key, what is appended is signed with it.

    Every method may raise `StoreBusy` (another process holds it for longer than
    `PATCHAE_LOCK_TIMEOUT`) or `StoreUnreachable` (it is not a ledger, or cannot be used).

    Args:
        place: a SQLite file, or another store.
        flow_run: id of the flow run that appends, for the rows.
        clock: dates the rows; by default that of the store, see `now`.
    """

    def __init__(
        self,
        place: Path | Store,
        *,
        flow_run: str | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._store: Store = FileStore(place) if isinstance(place, Path) else place
        self._flow_run = flow_run or ""
        self._clock = clock
        self.where = self._store.where

    @classmethod
    def of(cls, project: Project, *, flow_run: str | None = None) -> Ledger:
        """The ledger of a project: the database of `PATCHAE_LEDGER_URL`, or the embedded file.

        Raises:
            ConfigError: `PATCHAE_LEDGER_URL` is no URL of PostgreSQL.
        """
        url = settings().ledger_url
        return cls(ServerStore(url) if url else FileStore(project.ledger), flow_run=flow_run)

    def now(self) -> datetime:
        """The time by the clock that dates the rows: of the database's server, or of this machine.

        What a lineage record tells is dated by it, too, so that it fits the rows although a
        worker's own clock is wrong. Aware, in UTC.
        """
        return self._clock() if self._clock else self._store.now()

    def entries(self, model: str | None = None, kinds: Kinds = None) -> list[Entry]:
        """All entries, or those of one model or of some kinds, oldest first.

        Raises:
            AuditBroken: a row cannot be read.
        """
        with self._store.reading() as connection:
            return _entries(connection, model, kinds) if connection else []

    def models(self) -> list[str]:
        """The models that have a row, sorted."""
        with self._store.reading() as connection:
            if connection is None:
                return []
            return sorted(connection.scalars(select(tables.rows.c.model).distinct()))

    def signed_rows(self) -> tuple[list[Row], dict[int, Signature]]:
        """All rows as they are stored, oldest first, altered or not, and their signatures."""
        with self._store.reading() as connection:
            if connection is None:
                return [], {}
            stored = connection.execute(select(tables.signatures))
            return _rows(connection), {seq: Signature(*one) for seq, *one in stored}

    def head(self) -> Entry | None:
        """The newest entry; None when there is none. Its digest stands for the whole ledger."""
        with self._store.reading() as connection:
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
        with self._store.writing() as connection, self._transaction(connection) as transaction:
            yield transaction

    @contextmanager
    def turn(self, model: str) -> Iterator[Begin]:
        """Hold the moves of one model over several transactions, and what lies between them.

        Nobody else has the turn of this model meanwhile; rows may be appended by others. What it
        yields begins a transaction. A process that dies gives its turn back.
        """
        with self._store.turn(model) as connection:
            yield lambda: self._transaction(connection)

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[Transaction]:
        with self._store.translated():
            begun = connection.begin()
        try:
            with self._store.translated():
                self._store.claim(connection)
                tables.metadata.create_all(connection)
            yield Transaction(connection, self._store, self._clock, self._flow_run)
            with self._store.translated():
                begun.commit()
        finally:
            with self._store.translated():
                begun.close()  # rolls back what was not committed


class Transaction:
    """The ledger while this process alone may write to it."""

    def __init__(
        self,
        connection: Connection,
        store: Store,
        clock: Callable[[], datetime] | None,
        flow_run: str,
    ) -> None:
        self._connection = connection
        self._store = store
        self._clock = clock
        self._flow_run = flow_run

    def entries(self, model: str | None = None, kinds: Kinds = None) -> list[Entry]:
        """As `Ledger.entries`, including what was appended in this transaction."""
        with self._store.translated():
            return _entries(self._connection, model, kinds)

    def append(self, kind: Kind, model: str, body: Mapping[str, Any], actor: str) -> Entry:
        """As `Ledger.append`; kept only when the transaction ends without an error."""
        signer = Signer.configured()
        with self._store.translated():
            now = self._clock() if self._clock else self._store.now(self._connection)
            entry = follow(
                _head(self._connection),
                time=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                kind=kind,
                model=model,
                actor=actor,
                host=node(),
                flow_run=self._flow_run,
                body=body,
            )
            self._connection.execute(insert(tables.rows).values(asdict(entry.row())))
            if signer:
                signature = asdict(signer.sign(entry.digest))
                self._connection.execute(
                    insert(tables.signatures).values(seq=entry.seq, **signature)
                )
        return entry


Begin = Callable[[], AbstractContextManager[Transaction]]
"""Begins a transaction."""


def _rows(connection: Connection, model: str | None = None, kinds: Kinds = None) -> list[Row]:
    query = select(tables.rows).order_by(tables.rows.c.seq)
    if model is not None:
        query = query.where(tables.rows.c.model == model)
    if kinds is not None:
        query = query.where(tables.rows.c.kind.in_(kinds))
    return [Row(*row) for row in connection.execute(query)]


def _head(connection: Connection) -> Row | None:
    query = select(tables.rows).order_by(tables.rows.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Row(*row) if row else None


def _entries(connection: Connection, model: str | None, kinds: Kinds) -> list[Entry]:
    return [_entry(row) for row in _rows(connection, model, kinds)]


def _entry(row: Row) -> Entry:
    try:
        return Entry.of(row)
    except (ValueError, TypeError, RecursionError) as error:
        raise AuditBroken(
            f"row {row.seq} of the ledger cannot be read: {error}",
            where="the ledger",
            mend="the row was altered: restore the ledger from a backup",
        ) from None
