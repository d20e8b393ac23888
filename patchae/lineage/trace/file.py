"""The file of the index: opened, and made anew when it is damaged or of another format."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from patchae.errors import StoreUnreachable
from patchae.files import touch
from patchae.lineage.trace.index import FORMAT, Index
from patchae.project import Project

T = TypeVar("T")
LOCK = "trace"
_SPOILED = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_ERROR,  # a table or a column is not there
}


def with_index(project: Project, work: Callable[[Index], T], *, timeout: float | None = None) -> T:
    """Do some work on the project's index, while no other process does.

    A file that turns out to be damaged is removed, and the work is done once more on an empty one.

    Raises:
        StoreBusy: another process has held the index for longer than `timeout` seconds
            (default: `PATCHAE_LOCK_TIMEOUT`).
        StoreUnreachable: the file cannot be read or written.
    """
    with project.lock(LOCK, timeout):
        try:
            try:
                with _opened(project.trace) as index:
                    return work(index)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            _remove(project.trace)
            with _opened(project.trace) as index:
                return work(index)
        except sqlite3.Error as error:
            raise StoreUnreachable(
                f"the index of the trace cannot be used: {error}",
                where=str(project.trace),
                mend="free space or correct permissions; the file may be removed at any time",
            ) from None


@contextmanager
def _opened(file: Path) -> Iterator[Index]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # SQLite says why
        touch(file)
    database = sqlite3.connect(file, isolation_level=None)  # transactions are said, not guessed
    try:
        # A power cut may take the last additions away, and nothing else.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        index = Index(database)
        ((format_,),) = database.execute("PRAGMA user_version")
        if format_ != FORMAT:
            index.clear()
        yield index
    finally:
        database.close()


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SPOILED


def _remove(file: Path) -> None:
    # The database first: a journal without one is dropped, and must not be taken for a new one's.
    file.unlink(missing_ok=True)
    for left in (f"{file.name}-wal", f"{file.name}-shm", f"{file.name}-journal"):
        file.with_name(left).unlink(missing_ok=True)
