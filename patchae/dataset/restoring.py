"""Bringing a data version back into `data/`: all of it, or some classes; or into another folder.

Three steps, so that nothing is lost and nothing is half done: what would be overwritten must be in
a version (or the caller insists); every object is fetched and hashed before the first file is
touched; then files are put in place one by one, each in one move from the hidden folder that an
import uses too. After a `kill -9` the same call ends well, since what it had put in place is right,
what it replaces is in a version, and what lies in the hidden folder goes first; until then nobody
makes a version of the mixture, see `patchae.dataset.unfinished`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from patchae.dataset import history, version_log
from patchae.dataset.dvc_repo import open_store
from patchae.dataset.dvc_store import Store
from patchae.dataset.importing import staging_folder
from patchae.dataset.pin import read_pin, write_pin
from patchae.dataset.readers import changing
from patchae.dataset.unfinished import pulling, unfinished
from patchae.dataset.version import read_listing
from patchae.errors import DataError
from patchae.files import Progress, silent
from patchae.project import Project
from patchae.types import DataVersion

_SHOWN = 10


@dataclass(frozen=True)
class Restored:
    """What a pull did."""

    version: DataVersion
    classes: tuple[str, ...] | None
    """None: all of them, and `data.dvc` pins the version."""
    fetched: int
    """Objects that came from the remote."""
    written: int
    removed: int
    unchanged: int
    lost: tuple[str, ...]
    """Files that are removed or overwritten, relative to data/, sorted."""


def pull(
    project: Project,
    version: DataVersion,
    classes: Sequence[str] | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Restored:
    """Make `data/`, or the folders of some classes, what a version says.

    Args:
        project: with its DVC repository.
        version: the whole name of a version.
        classes: some of its classes; by default everything, which also pins the version.
        force: overwrite files that are in no version.
        dry_run: say what would become of every file, and fetch and change nothing.
        progress: called while objects are fetched and files written.

    Raises:
        DataError: the version does not hold a class; an object is missing or damaged, each with its
            name and where it is used; or files would be lost.
        StoreBusy: somebody reads these images, or works on `data/` for too long.
        StoreUnreachable: the remote does not answer and the cache lacks something.
    """
    scope = () if dry_run else classes
    with changing(project, scope), open_store(project, writing=True) as store:
        drafts = staging_folder(project)
        shutil.rmtree(drafts, ignore_errors=True)  # what a killed import or pull has left
        wanted = _chosen(read_listing(store, project, version), classes, version)
        here = dict(store.scan(progress).files) if project.data.is_dir() else {}
        here = {path: md5 for path, md5 in here.items() if _in_scope(path, classes)}
        stale = {path: md5 for path, md5 in here.items() if wanted.get(path) != md5}
        if not force:
            _require_versioned(project, store, stale, version)
        missing = {path: md5 for path, md5 in wanted.items() if here.get(path) != md5}
        removed = [path for path in stale if path not in wanted]
        done = Restored(
            version=version,
            classes=tuple(classes) if classes is not None else None,
            fetched=0,
            written=len(missing),
            removed=len(removed),
            unchanged=len(wanted) - len(missing),
            lost=tuple(sorted(stale)),
        )
        if dry_run:
            return done
        fetched = _fetch(project, store, missing, version, progress)
        with pulling(project, version, classes):
            _write(store, missing, project.data, drafts, progress)
            for path in removed:
                (project.data / path).unlink(missing_ok=True)
            _remove_empty(project.data, removed)
            if classes is None:
                size = sum((project.data / path).stat().st_size for path in wanted)
                write_pin(project.data_dvc, version, files=len(wanted), size=size)
                version_log.note(project, version, len(wanted), size, version_log.own_clock())
    return replace(done, fetched=fetched)


def lay_out(
    project: Project,
    version: DataVersion,
    classes: Sequence[str],
    folder: Path,
    progress: Progress = silent,
) -> int:
    """Write the files of some classes of a version into a new folder; `data/` is not looked at.

    Args:
        project: with its DVC repository; objects that its cache lacks are fetched into it.
        version: the whole name of a version.
        classes: some of its classes.
        folder: where the folders of the classes are to be.
        progress: called while objects are fetched and files written.

    Returns:
        How many files were written.

    Raises:
        DataError: the version does not hold a class; or an object is missing or damaged, each with
            its name and where it is used.
        StoreBusy: another process works with DVC for too long.
        StoreUnreachable: the remote does not answer and the cache lacks something.
    """
    with open_store(project, writing=True) as store:
        wanted = _chosen(read_listing(store, project, version), classes, version)
        _fetch(project, store, wanted, version, progress)
        _write(store, wanted, folder, folder / ".drafts", progress)
    return len(wanted)


def _write(
    store: Store, files: Mapping[str, str], folder: Path, drafts: Path, progress: Progress
) -> None:
    try:
        for done, (path, md5) in enumerate(sorted(files.items()), start=1):
            store.place(md5, folder / path, drafts)
            progress("writing images", done, len(files))
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def _in_scope(path: str, classes: Sequence[str] | None) -> bool:
    return classes is None or path.partition("/")[0] in classes


def _chosen(
    files: Mapping[str, str], classes: Sequence[str] | None, version: DataVersion
) -> dict[str, str]:
    there = sorted({path.partition("/")[0] for path in files})
    for name in classes or ():
        if name not in there:
            raise DataError(
                f"data version {version} has no class '{name}'", mend=f"use: {', '.join(there)}"
            )
    return {path: md5 for path, md5 in files.items() if _in_scope(path, classes)}


def _require_versioned(
    project: Project, store: Store, stale: Mapping[str, str], version: DataVersion
) -> None:
    """Nothing may be overwritten that cannot be had back."""
    safe = store.held(stale.values()) & _named(project, store, set(stale.values()), version)
    lost = sorted(path for path, md5 in stale.items() if md5 not in safe)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        # A snapshot would refuse, too, before this pull is finished.
        keep = (
            "move them out of data/ to keep them"
            if unfinished(project)
            else "patchae snapshot keeps them as a version"
        )
        raise DataError(
            f"data/ holds images that are in no version and would be lost: {lost[0]}{more}",
            where=str(project.data),
            mend=f"{keep}; --force gives them up",
        )


def _named(project: Project, store: Store, md5s: set[str], version: DataVersion) -> set[str]:
    """Those that a version names by which they can be had back: the one that is wanted, the pinned
    one, and all that are known here.

    That an object is stored proves nothing: a snapshot stores objects before it pins them, and may
    never come to that.
    """
    known = [version, *([pin] if (pin := read_pin(project.data_dvc)) else [])]
    known += [one for _, one in reversed(history.timeline(project))]
    found: set[str] = set()
    for one in dict.fromkeys(known):
        if found == md5s:
            break
        with suppress(DataError):  # neither side has its listing: it brings nothing back
            found |= md5s & set(read_listing(store, project, one).values())
    return found


def _fetch(
    project: Project,
    store: Store,
    wanted: Mapping[str, str],
    version: DataVersion,
    progress: Progress,
) -> int:
    users = {md5: path for path, md5 in sorted(wanted.items(), reverse=True)}
    fetched, problems = store.fetch(list(users), progress)
    if problems:
        lines = [
            f"  {md5}  {users[md5]}: {state} in the remote"
            for md5, state in sorted(problems.items())
        ]
        more = [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        count = "1 object" if len(lines) == 1 else f"{len(lines)} objects"
        told = "\n".join([*lines[:_SHOWN], *more])
        raise DataError(
            f"{count} of data version {version} cannot be had; nothing was changed:\n{told}",
            where=str(project.root),
            mend="patchae doctor --data looks for a whole copy and mends what it can",
        )
    return fetched


def _remove_empty(data: Path, removed: Sequence[str]) -> None:
    """Folders that held nothing but what was removed."""
    for folder in sorted({(data / path).parent for path in removed}, reverse=True):
        while folder != data and folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder)
            folder = folder.parent  # noqa: PLW2901 - upwards until one holds something
