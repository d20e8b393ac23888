"""Write a project into one file while others use it.

MLflow's database and the ledger are copied at one moment, while no row can be appended: MLflow's
versions come before the rows that name them, and their tags after. Files of versions never change,
and what could remove them waits until the backup is written.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from platform import node
from typing import IO

from patchae import __version__
from patchae.backup.content import MANIFEST, File, Manifest, elsewhere, files_of
from patchae.dataset.dvc_repo import open_store
from patchae.dataset.pin import read_pin
from patchae.errors import DataError, StoreBusy, UsageError
from patchae.files import Progress, lies_in, silent
from patchae.project import Project
from patchae.registry.embedded import database_of
from patchae.registry.ledger import Ledger
from patchae.settings import settings
from patchae.types import DataVersion

_SMALL = 8 << 20
"""A file of up to so many bytes is read at once, so that nobody changes it while it is written."""
_MB = 1_000_000


@dataclass(frozen=True)
class Backup:
    """A backup that was written."""

    file: Path
    bytes: int
    manifest: Manifest


def back_up(project: Project, file: Path, progress: Progress = silent) -> Backup:
    """Write a backup in one step, over one that is there.

    Raises:
        UsageError: the file cannot be there.
        DataError: `data/` holds what is in no version.
        StoreBusy: another process holds what is needed, or changes what is read, for too long.
        StoreUnreachable: a store cannot be used.
        OSError: the file cannot be written, or the disk is full; none is there then.
    """
    _require_target(project, file)
    with project.lock("data"):
        version = _require_versioned(project, progress)
    with project.lock("tidy"), _part(file) as folder:
        require_room(folder, sum(_size(path) for _, path in files_of(project)))
        databases, rows = _at_one_moment(project, folder)
        draft = folder / "archive"
        with tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as archive:
            files = _add_all(project, archive, databases, folder, progress)
            manifest = Manifest(
                patchae=__version__,
                made=datetime.now(UTC).isoformat(timespec="seconds"),
                host=node(),
                state=str(project.state.absolute()),
                data_version=version,
                ledger_rows=rows,
                elsewhere=tuple(elsewhere(project)),
                files=files,
            )
            text = manifest.model_dump_json().encode()
            _add(archive, MANIFEST, BytesIO(text), len(text))
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    return Backup(file, file.stat().st_size, manifest)


@contextmanager
def _part(file: Path) -> Iterator[Path]:
    """A folder beside a backup for what is not whole; one that a kill has left goes first."""
    folder = file.with_name(f".{file.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_room(folder: Path, size: int) -> None:
    """Refuse before anything is written what the disk has no room for.

    Raises:
        DataError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{size / 1e9:.1f} GB are to be written, and {free / 1e9:.1f} GB are free",
            where=str(folder),
            mend="make room, or name a place on another disk",
        )


def _require_target(project: Project, file: Path) -> None:
    if file.is_dir() or str(file) == "-":
        raise UsageError(
            "a backup is one file", where=str(file), mend="name a file, such as ../plant.tar"
        )
    for folder in (project.state, project.data):
        if lies_in(file, folder):
            raise UsageError(
                "a backup does not lie in what it is a backup of",
                where=str(file),
                mend="name a file on another disk, or at least outside of the project",
            )


def _require_versioned(project: Project, progress: Progress) -> DataVersion | None:
    """Return the pinned version, which is all that `data/` holds."""
    pinned = read_pin(project.data_dvc)
    if not project.data.is_dir() or not any(project.data.iterdir()):
        return pinned
    if pinned is not None:
        with open_store(project) as store:
            if store.scan(progress).version == pinned:
                return pinned
    raise DataError(
        "data/ holds images that are in no version, and a backup holds versions",
        where=str(project.data),
        mend="patchae snapshot, then run the command again",
    )


def _at_one_moment(project: Project, folder: Path) -> tuple[dict[Path, Path], int]:
    """Copy MLflow's database and the ledger: each path with its copy, and the number of rows."""
    found = [path for path in (project.ledger, database_of(project)) if path.is_file()]
    copies = {path: folder / path.name for path in found}
    ledger = Ledger.of(project)
    with _no_rows_appended(project, ledger):
        for path, copy in copies.items():
            _copy(path, copy)
        return copies, len(ledger.signed_rows()[0])


@contextmanager
def _no_rows_appended(project: Project, ledger: Ledger) -> Iterator[None]:
    if settings().ledger_url or not project.ledger.is_file():
        yield  # what is elsewhere is no part of it; and where no row is, none is named
        return
    with ledger.transaction():
        yield


def _copy(path: Path, copy: Path) -> None:
    """Copy a database as it is at one moment, by SQLite itself."""
    copy.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise DataError(
            f"a database cannot be read: {error}",
            where=str(path),
            mend="`patchae doctor` says more; restore it from an earlier backup",
        ) from None


def _add_all(
    project: Project,
    archive: tarfile.TarFile,
    databases: dict[Path, Path],
    folder: Path,
    progress: Progress,
) -> dict[str, File]:
    """Add every file, and what others put in its place meanwhile: none may be in neither place."""
    files: dict[str, File] = {}
    done, before = 0, -1
    while len(files) != before:
        before = len(files)
        due = [(name, path) for name, path in files_of(project) if name not in files]
        total = done + sum(_size(path) for _, path in due)
        for name, path in due:
            source = databases.get(path, path)
            try:
                if path.suffix == ".db" and source == path:
                    _copy(path, source := folder / "other.db")
                files[name] = _add_file(archive, name, source)
            except FileNotFoundError:
                continue
            done += files[name].bytes
            progress("writing MB", done // _MB, max(total, done) // _MB)
    return files


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> File:
    with path.open("rb") as file:
        found = path.stat()
        if found.st_size <= _SMALL:
            content = file.read()
            return _add(archive, name, BytesIO(content), len(content), found.st_mtime)
        try:
            return _add(archive, name, file, found.st_size, found.st_mtime)
        except OSError as error:
            if error.errno is not None:
                raise
            raise StoreBusy(  # tarfile's own word for a file that ends too early
                "a file became shorter while it was read",
                where=str(path),
                mend="let whatever changes it finish, then run the command again",
            ) from None


def _add(
    archive: tarfile.TarFile, name: str, content: IO[bytes], size: int, mtime: float = 0.0
) -> File:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = size, mtime
    reader = _Digesting(content)
    archive.addfile(entry, reader)  # type: ignore[arg-type]  # it calls `read` alone
    return File(sha256=reader.digest.hexdigest(), bytes=size)


class _Digesting:
    """Reads from a file and digests what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = sha256()

    def read(self, size: int) -> bytes:
        """Read up to so many bytes."""
        content = self._file.read(size)
        self.digest.update(content)
        return content
