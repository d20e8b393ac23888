"""Restore a backup into a folder of its own: all of it, verified, or nothing.

Files go into a hidden folder beside the target. Only when each has the digest that the manifest
names, and none is missing, does the folder get its name, in one step.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from patchae.backup.content import MANIFEST, PROJECT, STATE, File, Manifest
from patchae.backup.write import require_room
from patchae.dataset.pin import read_pin
from patchae.dataset.restoring import pull
from patchae.errors import DataError, UsageError
from patchae.files import Progress, silent, write_text
from patchae.project import Project, prepare_environment
from patchae.registry.relocate import relocate
from patchae.settings import settings

_BLOCK = 1 << 20
_MB = 1_000_000


def restore(file: Path, folder: Path, progress: Progress = silent) -> tuple[Project, Manifest]:
    """Restore a backup into a new or empty folder.

    After a `kill -9` the folder is as before, or holds the whole project; then `relocate` and
    `pull`, which come last, go on from where they were.

    Raises:
        UsageError: the folder is not empty, or the state would not be in it.
        DataError: the file is no backup, is damaged, or cannot be restored there.
        StoreUnreachable: a store of the restored project cannot be used.
        OSError: the disk is full; nothing is there then.
    """
    state = _require_place(folder)
    target = folder.absolute()
    draft = target.with_name(f".{target.name}.restored")
    shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
    try:
        draft.mkdir(parents=True)
        require_room(draft, file.stat().st_size if file.is_file() else 0)
        manifest = _extract(file, draft, state, progress)
        _own_remote(draft, manifest)
        try:
            draft.rename(target)
        except OSError as error:
            raise DataError(
                f"the folder cannot take its place: {error.strerror}",
                where=str(target),
                mend="name a folder that does not exist yet, on a disk that can be written",
            ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    project = Project(target)
    relocate(project)
    prepare_environment(project)
    images = any(name.startswith(f"{STATE}/{project.dvc_remote.name}/") for name in manifest.files)
    if images and (version := read_pin(project.data_dvc)):  # else `patchae pull` asks the remote
        pull(project, version, progress=progress)
    return project, manifest


def _require_place(folder: Path) -> Path:
    """Return where the state lies in the folder, which is new or empty."""
    state = settings().state
    if state.is_absolute():
        raise UsageError(
            "a backup is restored with its state in the project's folder",
            where="PATCHAE_STATE",
            mend="unset it, restore, then move .patchae where it shall be: patchae relocate",
        )
    if folder.absolute() == Path.cwd():
        raise UsageError(
            "the current folder cannot be replaced by a restored one",
            where=str(folder),
            mend="name a folder that does not exist yet: patchae restore FILE FOLDER",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            "there is something here already, and a restore overwrites nothing",
            where=str(folder),
            mend="name a folder that does not exist yet, or is empty",
        )
    return state


def _extract(file: Path, draft: Path, state: Path, progress: Progress) -> Manifest:
    files: dict[str, File] = {}
    manifest: Manifest | None = None
    with _damage_named(file), tarfile.open(file, "r|*") as archive:
        size, done = file.stat().st_size, 0
        for entry in archive:
            content = archive.extractfile(entry) if entry.isfile() else None
            if content is None or manifest is not None or entry.name in files:
                raise _damaged(file, f"it holds what no backup holds: {entry.name}")
            if entry.name == MANIFEST:
                manifest = Manifest.model_validate_json(content.read())
                continue
            tarfile.data_filter(entry, str(draft))  # refuses a name that leads out
            top, _, name = entry.name.partition("/")
            if top not in (PROJECT, STATE) or not name:
                raise _damaged(file, f"it holds what no backup holds: {entry.name}")
            target = draft / name if top == PROJECT else draft / state / name
            target.parent.mkdir(parents=True, exist_ok=True)
            digest = sha256()
            with target.open("wb") as written:
                while block := content.read(_BLOCK):
                    digest.update(block)
                    written.write(block)
            os.utime(target, (entry.mtime, entry.mtime))
            files[entry.name] = File(sha256=digest.hexdigest(), bytes=entry.size)
            done += entry.size
            progress("reading MB", done // _MB, max(size, done) // _MB)
    if manifest is None:
        raise _damaged(file, "its end is missing")
    for name in sorted(files.keys() | manifest.files.keys()):
        if files.get(name) != manifest.files.get(name):
            raise _damaged(file, f"{name} is not what was backed up")
    return manifest


@contextmanager
def _damage_named(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UsageError(
            "there is no such file", where=str(file), mend="name what `patchae backup` wrote"
        ) from None
    except IsADirectoryError:
        raise UsageError("a backup is one file", where=str(file), mend="name the file") from None
    except (tarfile.TarError, EOFError, ValidationError, UnicodeError) as error:
        why = "its manifest cannot be read" if isinstance(error, ValidationError) else str(error)
        raise _damaged(file, why) from None


def _damaged(file: Path, why: str) -> DataError:
    return DataError(
        f"this is no whole backup: {why}",
        where=str(file),
        mend="take another copy of it; nothing was restored",
    )


def _own_remote(draft: Path, manifest: Manifest) -> None:
    """Have DVC's embedded remote be that of the restored state where the config names the old."""
    config = draft / ".dvc" / "config"
    remote = f"url = {manifest.state}/dvc-remote"
    if config.is_file() and remote in (text := config.read_text("utf-8")):
        write_text(config, text.replace(remote, "url = ../.patchae/dvc-remote"))
