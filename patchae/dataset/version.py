"""Versions of `data/`: pinned in `data.dvc`, stored in DVC's remote, readable later.

`snapshot` may be killed at any moment; the same call then ends in the same version. Its order makes
that so: copy into the cache, push to the remote, pin in `data.dvc`, commit. Each step finds what
the one before has left and adds only what is missing, so an unchanged snapshot is quick, and one
that finds objects missing from the remote brings them there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from patchae.dataset import git, version_log
from patchae.dataset.dvc_repo import config_text, initialise, open_store, with_git
from patchae.dataset.dvc_store import Store
from patchae.dataset.importing import staging_folder
from patchae.dataset.objects import NOTHING_KNOWN, State
from patchae.dataset.pin import read_pin, write_pin
from patchae.dataset.unfinished import require_finished
from patchae.errors import DataError, UsageError
from patchae.files import Progress, silent
from patchae.images import walked
from patchae.project import Project
from patchae.types import DataVersion


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot found and did."""

    version: DataVersion
    before: DataVersion | None  # what was pinned before
    images: int  # files under data/, masks included
    bytes: int  # their size
    committed: bool  # whether this call made a Git commit

    @property
    def changed(self) -> bool:
        """Whether another version, or none, was pinned before."""
        return self.version != self.before


def snapshot(
    project: Project,
    *,
    commit: bool = False,
    progress: Progress = silent,
    clock: Callable[[], datetime] = version_log.own_clock,
) -> Snapshot:
    """Version `data/`: push what is new to the default remote, then pin it in `data.dvc`.

    `data/` itself is only read. A project without DVC is made a DVC repository with an embedded
    folder as its remote. With `commit`, `data.dvc` and what the snapshot itself had to write are
    committed, and nothing else, whatever is staged. `clock` says when the version was made.

    Raises:
        DataError: there is nothing in `data/`, Git tracks it, it changes meanwhile, a folder of it
            cannot be read, or a pull was cut off.
        StoreBusy: another process holds the images or DVC for too long.
        StoreUnreachable: the remote does not answer, or `clock` does not.
        ConfigError: DVC cannot use its configuration.
        UsageError: a commit is wanted where there is no Git, or Git refuses it.
    """
    if commit and not git.in_git(project.root):
        raise UsageError(
            "there is no Git repository to commit to",
            where=str(project.root),
            mend="git init, or leave the commit out",
        )
    with project.lock("data"):
        require_finished(project)
        # Nobody imports or pulls while this lock is held: what lies there was left by a kill.
        shutil.rmtree(staging_folder(project), ignore_errors=True)
        before = read_pin(project.data_dvc)
        if not _any_file(project.data):
            bring = "bring images in: patchae import FOLDER"
            raise DataError(
                "there is nothing in data/ to version",
                where=str(project.data),
                mend=f"fetch the pinned version: dvc pull; or {bring}" if before else bring,
            )
        initialise(project)
        with open_store(project, writing=True) as store:
            store.ignore_data()
            content = store.scan(progress)
            store.keep(content, progress)
            store.push(content, progress)
        count, size = len(content.files), content.bytes
        made = clock()  # before the pin: a clock that does not answer leaves the version before
        write_pin(project.data_dvc, content.version, files=count, size=size)
        version_log.note(project, content.version, count, size, made)
        message = f"Pin data version {content.version}\n\n{count} files, {size} bytes"
        committed = commit and git.commit_only(
            project.root, [project.data_dvc.name, *_own_files(project)], message
        )
    return Snapshot(content.version, before, count, size, committed)


def pinned_version(project: Project) -> DataVersion | None:
    """The version that `data.dvc` holds; None before the first snapshot.

    Raises:
        DataError: `data.dvc` is not what a snapshot writes.
    """
    return read_pin(project.data_dvc)


def listing(project: Project, version: DataVersion) -> dict[str, str]:
    """The files of a version: path relative to data/ to md5, from the remote or the cache.

    Raises:
        DataError: neither holds the version unaltered.
        StoreUnreachable: the remote does not answer and the cache does not hold the version.
    """
    with open_store(project) as store:
        return read_listing(store, project, version)


def read_listing(store: Store, project: Project, version: DataVersion) -> dict[str, str]:
    """`listing` of a store that is open already."""
    content = store.read(version)
    if content is None:
        raise DataError(
            f"data version {version} is neither in the DVC remote nor in the cache",
            where=str(project.root),
            mend="push it from where it was made: dvc push",
        )
    return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def stored(project: Project, md5s: Iterable[str]) -> set[str]:
    """Those of the md5s (or versions) whose objects the remote really holds now.

    Asks the remote itself, not an index of it; asks the cache if the remote does not answer.
    """
    with open_store(project) as store:
        return store.held(md5s)


def stored_states(
    project: Project,
    names: Iterable[str],
    progress: Progress = silent,
    sha256: Mapping[str, str] = NOTHING_KNOWN,
) -> dict[str, State]:
    """In which state objects (md5s or versions) are in the remote, each read to its last byte.

    Those of a known `sha256`, by their name, must have that one, too.

    Raises:
        StoreUnreachable: the remote does not answer; what the cache holds proves nothing of it.
    """
    with open_store(project) as store:
        return store.states("remote", list(dict.fromkeys(names)), progress, sha256)


def read_object(project: Project, md5: str) -> bytes | None:
    """The content of one object, from the remote or the cache; None if neither has it unaltered.

    Raises:
        StoreUnreachable: the remote does not answer and the cache does not hold it.
    """
    with open_store(project) as store:
        return store.read(md5)


def _any_file(folder: Path) -> bool:
    return any(files for _, _, files in walked(folder, followlinks=True))


def _own_files(project: Project) -> list[str]:
    """The files, besides `data.dvc`, where nothing is uncommitted but what a snapshot writes."""
    lines = {
        ".dvc/config": set(config_text(project).splitlines()),
        ".dvc/.gitignore": {"/config.local", "/tmp", "/cache"},  # noqa: S108 - not that folder
        ".gitignore": {"/data"},
    }
    return [path for path, own in lines.items() if _only_added(project.root, path, own)]


def _only_added(root: Path, path: str, own: set[str]) -> bool:
    if not (root / path).is_file():
        return False
    now = (root / path).read_text(encoding="utf-8", errors="replace").splitlines()
    committed = (git.head(root, path) or b"").decode(errors="replace")
    then = with_git(committed).splitlines()
    added = now[len(then) :]
    return now[: len(then)] == then and now != committed.splitlines() and set(added) <= own
