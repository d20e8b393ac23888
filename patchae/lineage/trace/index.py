"""The index of image uses: one SQLite file that holds nothing which cannot be read again.

An image is stored once with its digests, and once for each path that it stood under (a `place`).
What holds of a place in one version mostly holds in the next, so membership is kept as runs, see
`runs`: a version that changes a hundred images adds a few hundred rows, whatever the size of
`data/`. Data versions are numbered in the order in which they were read, and so are the versions
of each model.

Each is added in one transaction: after a `kill -9` it is there or it is not. Processes take turns
by the project's lock `trace`, which whoever opens the file holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from patchae.lineage.trace.kept import Data, Image, ModelVersion, Place, Run
from patchae.lineage.trace.runs import Runs
from patchae.registry.chain import Entry
from patchae.types import DataVersion

FORMAT = 1
"""Another number for another schema or another way to fill it: the file is then made anew."""
_SCHEMA = """
CREATE TABLE image (id INTEGER PRIMARY KEY, md5 BLOB NOT NULL UNIQUE, sha256 BLOB);
CREATE INDEX image_sha256 ON image (sha256) WHERE sha256 IS NOT NULL;
CREATE TABLE place (id INTEGER PRIMARY KEY, image INTEGER NOT NULL, path TEXT NOT NULL);
CREATE INDEX place_image ON place (image);
CREATE TABLE data (version TEXT PRIMARY KEY, number INTEGER, unread TEXT) WITHOUT ROWID;
CREATE TABLE made (at TEXT NOT NULL, version TEXT NOT NULL);
CREATE TABLE model (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE version (
    seq INTEGER PRIMARY KEY, digest BLOB NOT NULL, model INTEGER NOT NULL, version TEXT NOT NULL,
    registered TEXT NOT NULL, data TEXT, number INTEGER, unread TEXT
);
CREATE TABLE held (
    place INTEGER, first INTEGER, last INTEGER, PRIMARY KEY (place, first)
) WITHOUT ROWID;
CREATE TABLE used (
    place INTEGER, model INTEGER, use INTEGER, first INTEGER, last INTEGER,
    PRIMARY KEY (place, model, use, first)
) WITHOUT ROWID;
CREATE TABLE state (stamp TEXT);
"""
USES = ("learned", "calibration", "judged")
_MANY = 500_000
"""So many places are remembered while the index is filled."""


class Index:
    """An open index; `opened` in `patchae.lineage.trace.file` makes one."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._forget()

    def _forget(self) -> None:
        self._held: Runs | None = None
        self._used: tuple[int, Runs] | None = None
        self._known: dict[tuple[str, str], tuple[int, bool]] = {}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self._forget()  # what was remembered may never have been written
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def clear(self) -> None:
        """Forget everything."""
        with self._transaction():
            tables = self._all("SELECT name FROM sqlite_schema WHERE type = 'table'")
            for (name,) in tables:
                self._database.execute(f'DROP TABLE "{name}"')
            for statement in _SCHEMA.split(";"):
                self._database.execute(statement)
            self._database.execute("INSERT INTO state VALUES (NULL)")
            self._database.execute(f"PRAGMA user_version = {FORMAT}")
        self._forget()

    # Filling

    def add_data(self, version: DataVersion, files: Iterable[tuple[str, str]]) -> None:
        """Add a data version: path and md5 of every image in it."""
        with self._transaction():
            number = self._next("SELECT MAX(number) FROM data")
            self._held = self._held or Runs(self._database, "held", ("place",))
            self._held.add(number, {(self._place(Place(path, md5)),) for path, md5 in files})
            self._note_data(version, number, None)

    def skip_data(self, version: DataVersion, why: str) -> None:
        """Note that a data version cannot be read."""
        with self._transaction():
            self._note_data(version, None, why)

    def add_version(self, row: Entry, data: DataVersion, uses: Iterable[tuple[Place, str]]) -> None:
        """Add a model version by the row of its registration: what it used every image for.

        Raises:
            ValueError: one md5 stands for two contents.
        """
        with self._transaction():
            model = self._model(row.model)
            number = self._next("SELECT MAX(number) FROM version WHERE model = ?", model)
            if self._used is None or self._used[0] != model:
                member = ("place", "use")
                self._used = model, Runs(self._database, "used", member, ("model", model))
            members = {(self._place(place), USES.index(use)) for place, use in uses}
            self._used[1].add(number, members)
            self._note(row, model, data, number, None)

    def skip_version(self, row: Entry, why: str) -> None:
        """Note that what a model version used cannot be read."""
        with self._transaction():
            self._note(row, self._model(row.model), None, None, why)

    def set_timeline(self, made: Iterable[tuple[str, DataVersion]], stamp: str) -> None:
        """Note when each data version was made, and a stamp of all that was read for that."""
        with self._transaction():
            self._database.execute("DELETE FROM made")
            self._database.executemany("INSERT INTO made VALUES (?, ?)", made)
            self._database.execute("UPDATE state SET stamp = ?", (stamp,))

    def _next(self, query: str, *values: object) -> int:
        ((last,),) = self._all(query, *values)
        return (last or 0) + 1

    def _note_data(self, version: DataVersion, number: int | None, why: str | None) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO data VALUES (?, ?, ?)", (version, number, why)
        )

    def _note(
        self, row: Entry, model: int, data: str | None, number: int | None, why: str | None
    ) -> None:
        own = (row.seq, bytes.fromhex(row.digest), model, str(row.body["version"]), row.time)
        self._database.execute(
            "INSERT OR REPLACE INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*own, data, number, why),
        )

    def _model(self, name: str) -> int:
        self._database.execute("INSERT OR IGNORE INTO model (name) VALUES (?)", (name,))
        ((model,),) = self._all("SELECT id FROM model WHERE name = ?", name)
        return int(model)

    def _place(self, place: Place) -> int:
        known = self._known.get((place.path, place.md5))
        if known and (known[1] or place.sha256 is None):
            return known[0]
        image = self._image(place)
        query = "SELECT id FROM place WHERE image = ? AND path = ?"
        found = self._all(query, image, place.path)
        number = found[0][0] if found else self._insert("place (image, path)", image, place.path)
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[place.path, place.md5] = number, place.sha256 is not None
        return int(number)

    def _image(self, place: Place) -> int:
        md5 = bytes.fromhex(place.md5)
        sha256 = bytes.fromhex(place.sha256) if place.sha256 else None
        found = self._all("SELECT id, sha256 FROM image WHERE md5 = ?", md5)
        if not found:
            return self._insert("image (md5, sha256)", md5, sha256)
        ((image, before),) = found
        if sha256 and before is None:
            self._database.execute("UPDATE image SET sha256 = ? WHERE id = ?", (sha256, image))
        elif sha256 and sha256 != before:
            raise ValueError(f"{place.path}: its md5 is that of another image with another sha256")
        return int(image)

    def _insert(self, into: str, *values: object) -> int:
        query = f"INSERT INTO {into} VALUES ({', '.join('?' * len(values))})"  # noqa: S608 - ours
        return self._database.execute(query, values).lastrowid or 0

    # Asking

    @property
    def stamp(self) -> str | None:
        """What was given to `set_timeline` last."""
        ((stamp,),) = self._all("SELECT stamp FROM state")
        return None if stamp is None else str(stamp)

    def rows(self) -> dict[int, str]:
        """The rows of the ledger that were read: number and digest."""
        return {seq: digest.hex() for seq, digest in self._all("SELECT seq, digest FROM version")}

    def versions(self) -> list[ModelVersion]:
        """All model versions, in the order of their registration."""
        query = """
            SELECT seq, name, version, registered, data, number, unread
            FROM version JOIN model ON model.id = version.model ORDER BY seq
        """
        return [ModelVersion(*row) for row in self._all(query)]

    def data(self) -> list[Data]:
        """All data versions."""
        return [Data(*row) for row in self._all("SELECT version, number, unread FROM data")]

    def timeline(self) -> list[tuple[str, DataVersion]]:
        """When which data version was made, oldest first; one that came back is there again."""
        return self._all("SELECT at, version FROM made ORDER BY rowid")

    def images(self, *, md5: str | None = None, sha256: str | None = None) -> list[Image]:
        """The image with a digest, or none."""
        column, digest = ("md5", md5) if md5 else ("sha256", sha256)
        query = f"SELECT id, md5, sha256 FROM image WHERE {column} = ?"  # noqa: S608 - one of two
        return [_image(*row) for row in self._all(query, bytes.fromhex(digest or ""))]

    def images_at(self, paths: Iterable[str]) -> dict[str, list[Image]]:
        """Every image that ever stood under these paths of data/, by path."""
        wanted, found = set(paths), dict[str, list[Image]]()
        query = "SELECT path, image.id, md5, sha256 FROM place JOIN image ON image.id = image"
        for path, *row in self._database.execute(query) if wanted else ():
            if path in wanted:
                found.setdefault(path, []).append(_image(*row))
        return found

    def places(self, image: Image) -> list[tuple[int, str]]:
        """The places of an image: number and path."""
        return self._all("SELECT id, path FROM place WHERE image = ? ORDER BY path", image.id)

    def held(self, place: int) -> list[Run]:
        """In which data versions a place was."""
        rows = self._all("SELECT first, last FROM held WHERE place = ? ORDER BY first", place)
        return [Run(*row) for row in rows]

    def used(self, place: int) -> list[tuple[str, str, Run]]:
        """Which models used a place, what for, and in which of their versions."""
        query = """
            SELECT name, use, first, last FROM used JOIN model ON model.id = model
            WHERE place = ? ORDER BY name, use, first
        """
        return [(name, USES[use], Run(*run)) for name, use, *run in self._all(query, place)]

    def _all(self, query: str, *values: object) -> list[Any]:
        return self._database.execute(query, values).fetchall()


def _image(number: int, md5: bytes, sha256: bytes | None) -> Image:
    return Image(number, md5.hex(), sha256.hex() if sha256 else None)
