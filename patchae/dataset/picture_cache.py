"""What was read of image files before, so that an unchanged image is never decoded twice.

Two questions, one SQLite file. *Is this file the one that I read?* is answered by its path, size,
time of change and inode, as Git and DVC do it. *What does this content look like?* is answered by
its sha256 alone: an image that was moved, renamed or checked out again is hashed, not decoded.

Whatever another version of the reader has found does not count. The file may be removed at any
time, and one that is damaged is made anew: it holds nothing that cannot be read again. For the same
reason a full disk or a lock that is not let go stops nobody: images are then read as if unknown.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from patchae.dataset.looks import NO_LOOKS, Looks
from patchae.dataset.picture import Picture
from patchae.files import digest_json, sha256_file, touch

Signature = tuple[int, int, int]
"""Size in bytes, time of change in ns, inode."""
Task = tuple[str, bool, Signature]
"""A file to read: its absolute path, whether it is a mask, its signature before it is read."""
Values = tuple[Any, ...]
"""A picture as one flat row, in the order of the table's columns."""
_YOUNG_NS = 2_000_000_000
"""A file that changed so recently may change again within the same tick of its file system."""
_PATIENCE_S = 60.0
_OWN = Picture._fields[:-1]  # the last one is how it looks
_COLUMNS = (*_OWN, *Looks._fields)
_SHA256 = _COLUMNS.index("sha256")
_UPRIGHT = _COLUMNS.index("upright")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS pictures (
    reader TEXT, as_mask INTEGER, {", ".join(f'"{name}"' for name in _COLUMNS)},
    PRIMARY KEY (sha256, as_mask)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT
) WITHOUT ROWID;
"""


class PictureCache:
    """An open cache; several processes may use one file at a time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._damaged = False
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.OperationalError:  # locked, or it cannot be written: not ours to remove
            raise
        except sqlite3.DatabaseError:  # not a database, or one of another schema
            self._remove()
            self._open()

    def _open(self) -> None:
        with suppress(OSError):  # SQLite says why
            touch(self.file)
        # Checked out in one thread, closed in another: Prefect's tasks do that.
        self._database = sqlite3.connect(self.file, _PATIENCE_S, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        columns = self._database.execute("SELECT name FROM pragma_table_info('pictures')")
        if {name for (name,) in columns} != {"reader", "as_mask", *_COLUMNS}:
            self._database.close()
            raise sqlite3.DatabaseError("made by another version")

    def _remove(self) -> None:
        for damaged in self.file.parent.glob(f"{self.file.name}*"):
            damaged.unlink(missing_ok=True)

    @contextmanager
    def _as_far_as_it_can(self) -> Iterator[None]:
        """A question that cannot be answered is as one about what is unknown.

        A page that is damaged shows only when it is read. Then the file goes, this object remembers
        nothing more, and whoever opens the file next makes it anew.
        """
        try:
            yield
        except sqlite3.OperationalError:
            pass
        except sqlite3.DatabaseError:
            self._damaged = True
            with suppress(OSError):
                self._remove()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def seen(self, folder: Path) -> dict[tuple[str, bool], tuple[Signature, Values]]:
        """What is known of the files under a folder, by absolute path and whether as a mask."""
        found: dict[tuple[str, bool], tuple[Signature, Values]] = {}
        if self._damaged:
            return found
        with self._as_far_as_it_can():
            rows = self._database.execute(
                f"""
                SELECT path, size, mtime_ns, inode, as_mask, {_names(_COLUMNS, "pictures.")}
                FROM files JOIN pictures USING (sha256)
                WHERE path >= ? AND path < ? AND reader = ?
                """,  # noqa: S608 - names of our own columns
                (f"{folder}{os.sep}", f"{folder}{chr(ord(os.sep) + 1)}", reader()),
            )
            # Rows as they are: of 50,000 pictures the garbage collector would look at each again.
            found.update(((row[0], bool(row[4])), (row[1:4], row[5:])) for row in rows)
        return found

    def known(self, contents: Iterable[tuple[str, bool]]) -> dict[tuple[str, bool], Values]:
        """What contents look like that were decoded before: by sha256, and whether as a mask."""
        asked = [(sha256, int(as_mask)) for sha256, as_mask in contents]
        found: dict[tuple[str, bool], Values] = {}
        if self._damaged or not asked:
            return found
        with self._as_far_as_it_can():
            rows = self._database.execute(
                f"""
                WITH asked (sha256, as_mask) AS (VALUES {", ".join(["(?, ?)"] * len(asked))})
                SELECT as_mask, {_names(_COLUMNS)} FROM asked JOIN pictures USING (sha256, as_mask)
                WHERE reader = ?
                """,  # noqa: S608 - as above
                (*chain.from_iterable(asked), reader()),
            )
            for as_mask, *values in rows:
                found[values[_SHA256], bool(as_mask)] = tuple(values)
        return found

    def add(self, found: Iterable[tuple[Task, Values]]) -> None:
        """Remember what was read."""
        if self._damaged:
            return
        now, files, pictures = time.time_ns(), [], []
        for (path, as_mask, signature), values in found:
            if now - signature[1] > _YOUNG_NS:
                files.append((path, *signature, values[_SHA256]))
            pictures.append((reader(), int(as_mask), *values))
        places = ", ".join("?" * (2 + len(_COLUMNS)))
        # One transaction: a reader that is killed keeps what it added before.
        with self._as_far_as_it_can(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", files)
            self._database.executemany(
                f"INSERT OR REPLACE INTO pictures VALUES ({places})",  # noqa: S608 - question marks
                pictures,
            )


@contextmanager
def open_cache(file: Path | None) -> Iterator[PictureCache | None]:
    """A cache for the time of the block; none where no file is given, or it cannot be used."""
    opened = None
    if file is not None:
        with suppress(sqlite3.OperationalError, OSError):
            opened = PictureCache(file)
    try:
        yield opened
    finally:
        if opened:
            opened.close()


def signature_of(path: str) -> Signature:
    """What tells whether a file is still the same, without reading it.

    Raises:
        OSError: it cannot be asked.
    """
    status = os.stat(path)  # noqa: PTH116 - a Path costs more than the question
    return status.st_size, status.st_mtime_ns, status.st_ino


@cache
def reader() -> str:
    """Names what decides how a file is read: our source, and Pillow with its decoders."""
    here = Path(__file__).parent
    files = [here / "looks.py", here / "picture.py", *sorted((here.parent / "images").glob("*.py"))]
    source = [sha256_file(file) for file in files]
    return digest_json([*source, version("pillow"), version("numpy")])


def _names(columns: Iterable[str], table: str = "") -> str:
    return ", ".join(f'{table}"{name}"' for name in columns)


def values_of(picture: Picture) -> Values:
    """A picture as one flat row, which goes between processes in a fraction of the time."""
    *own, looks = picture
    return (*own, *(looks or NO_LOOKS))


def picture_from(values: Iterable[Any]) -> Picture:
    """The picture whose row it is."""
    row = list(values)
    row[_UPRIGHT] = bool(row[_UPRIGHT])
    looks = row[len(_OWN) :]
    row[len(_OWN) :] = [Looks._make(looks) if looks[-1] is not None else None]
    return Picture._make(row)
