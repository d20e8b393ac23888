"""Taking images out of DVC's cache that no version in use needs and that the remote holds whole.
Listings of versions stay: they are small, and are asked for more often than images.

The cache is a copy: a version that is asked for later is fetched again. So only the remote is
asked whether an object may go, and it is read there to its last byte: a name proves nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from patchae.dataset.dvc_repo import open_store
from patchae.dataset.dvc_store import Store
from patchae.dataset.pin import read_pin
from patchae.dataset.version import read_listing
from patchae.errors import DataError
from patchae.files import Progress, lies_in, silent
from patchae.project import Project
from patchae.types import DataVersion


def spare(
    project: Project, in_use: Collection[DataVersion], before: datetime
) -> tuple[dict[str, int], int]:
    """The objects of the cache that may go, each with its bytes; and how many others there are.

    Whether the remote holds them is asked by `thin` alone.

    Args:
        project: with its DVC repository.
        in_use: versions that are needed here, besides the pinned one and what `data/` holds.
        before: what came into the cache later stays.

    Raises:
        StoreUnreachable: the listing of a version in use is not in the cache, and the remote does
            not answer.
    """
    if not (project.root / ".dvc" / "config").is_file():
        return {}, 0
    with open_store(project) as store:
        return _spare(project, store, in_use, before)


def thin(
    project: Project,
    in_use: Collection[DataVersion],
    before: datetime,
    progress: Progress = silent,
) -> int:
    """Remove those objects of the cache that may go and are whole in the remote; their bytes.

    Raises:
        StoreBusy: another process works on `data/` for too long.
        StoreUnreachable: the remote does not answer.
    """
    with project.lock("data"), open_store(project, writing=True) as store:
        found, _ = _spare(project, store, in_use, before)
        there = store.states("remote", sorted(found), progress)
        freed = 0
        for name, state in there.items():
            if state == "whole":
                store.forget(name)
                freed += found[name]
    return freed


def _spare(
    project: Project, store: Store, in_use: Collection[DataVersion], before: datetime
) -> tuple[dict[str, int], int]:
    objects = store.cached()
    places = {path.parent for path in objects.values()}
    if not all(lies_in(place, project.root) for place in places):
        return {}, len(objects)  # a cache that others share
    needed = _needed(project, store, in_use)
    oldest = before.timestamp()
    found: dict[str, int] = {}
    for name, path in objects.items():
        about = _stat(path)
        if name not in needed and not name.endswith(".dir") and about and about[1] < oldest:
            found[name] = about[0]
    return found, len(objects) - len(found)


def _needed(project: Project, store: Store, in_use: Collection[DataVersion]) -> set[str]:
    versions = set(in_use)
    if pinned := read_pin(project.data_dvc):
        versions.add(pinned)
    needed: set[str] = set()
    for version in versions:
        needed.add(version)
        try:
            needed.update(read_listing(store, project, version).values())
        except (
            DataError
        ):  # neither side holds its listing: an audit says so, and nothing of it goes
            continue
    if project.data.is_dir():
        needed.update(store.scan().files.values())
    return needed


def _stat(path: Path) -> tuple[int, float] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime
