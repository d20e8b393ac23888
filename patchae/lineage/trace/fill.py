"""Bring the index up to the ledger and to the data versions that are known here.

Whether it is up to date is seen from the ledger, the file of data versions and Git's commit alone,
so that MLflow and DVC are not even imported when it is and lacks nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from patchae.dataset import git
from patchae.errors import DataError, PatchaeError
from patchae.files import Progress, sha256_bytes, silent
from patchae.lineage.trace.file import with_index
from patchae.lineage.trace.index import Index
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.types import DataVersion

if TYPE_CHECKING:
    from patchae.lineage.trace.sources import Artifacts

_PATIENCE_S = 5.0
"""How long a registration waits for a trace that is just filling the index."""


def catch_up(
    index: Index,
    project: Project,
    registered: Iterable[Entry],
    progress: Progress = silent,
    *,
    artifacts: Artifacts | None = None,
) -> None:
    """Add what the index has not seen.

    What could not be read before is tried again. An index of another ledger is filled anew.

    Args:
        index: open.
        project: the project.
        registered: the ledger's rows of this kind.
        progress: called after each version.
        artifacts: where those of the runs are; default: MLflow, opened only when it is needed.

    Raises:
        StoreUnreachable: MLflow or the store of the images does not answer; what was added until
            then stays.
    """
    rows = {row.seq: row for row in registered}
    if any(seq not in rows or rows[seq].digest != held for seq, held in index.rows().items()):
        index.clear()
    stamp, seen = _stamp(project), index.rows()
    unread = {version.seq for version in index.versions() if version.unread}
    complete = not unread and all(one.unread is None for one in index.data())
    if complete and stamp == index.stamp and len(seen) == len(rows):
        return
    new = [row for row in rows.values() if row.seq not in seen or row.seq in unread]
    if new:
        from patchae.lineage.trace.sources import from_mlflow

        _add_versions(index, artifacts or from_mlflow(project), new, progress)
    made = _timeline(index, project)
    held = {one.version for one in index.data() if one.unread is None}
    every = dict.fromkeys(version for _, version in made)
    _add_data(index, project, [one for one in every if one not in held], progress)
    index.set_timeline(made, stamp)


def add(project: Project, artifacts: Artifacts, row: Entry) -> bool:
    """Add a version that was just registered and its data version; whether that was possible.

    Never an error, and nothing else is read: the next trace adds what is missing.
    """

    def work(index: Index) -> None:
        _add_versions(index, artifacts, [row], silent)
        (own,) = (one for one in index.versions() if one.seq == row.seq)
        if own.data and all(one.version != own.data for one in index.data()):
            _add_data(index, project, [own.data], silent)

    try:
        with_index(project, work, timeout=_PATIENCE_S)
    except (PatchaeError, OSError, ValueError, sqlite3.Error):
        return False
    return True


def _stamp(project: Project) -> str:
    """What tells, without opening a store, whether there may be other data versions than before."""
    try:
        noted = sha256_bytes(project.versions.read_bytes())
    except FileNotFoundError:
        noted = sha256_bytes(b"")
    return f"{noted} {git.commit(project.root)}"


def _add_versions(
    index: Index, artifacts: Artifacts, rows: list[Entry], progress: Progress
) -> None:
    from patchae.lineage.trace.sources import Unread, uses_of

    # Model by model: what one version of a model used is mostly what the one before did.
    rows = sorted(rows, key=lambda row: (row.model, row.seq))
    for done, row in enumerate(rows, start=1):
        try:
            index.add_version(row, *uses_of(artifacts, row))
        except (Unread, ValueError) as reason:
            index.skip_version(row, str(reason))
        progress("reading model versions", done, len(rows))


def _timeline(index: Index, project: Project) -> list[tuple[str, DataVersion]]:
    """When each data version was made, oldest first; as UTC, ISO 8601."""
    from patchae.dataset.history import timeline

    made = timeline(project)
    known = {version for _, version in made}
    # Trained on somewhere else, and noted nowhere here: it was there at the first registration.
    for one in index.versions():
        if one.data is not None and one.data not in known:
            made.append((datetime.fromisoformat(one.registered), one.data))
            known.add(one.data)
    made.sort(key=lambda one: one[0])  # of two within a second the order that was noted stays
    return [(at.astimezone(UTC).isoformat(), version) for at, version in made]


def _add_data(
    index: Index, project: Project, versions: list[DataVersion], progress: Progress
) -> None:
    from patchae.lineage.trace.sources import images_in

    with _listings(project) as listing:
        for done, version in enumerate(versions, start=1):
            try:
                index.add_data(version, images_in(listing(version)))
            except (DataError, ValueError, KeyError) as reason:
                index.skip_data(version, getattr(reason, "what", str(reason)))
            progress("reading data versions", done, len(versions))


@contextmanager
def _listings(project: Project) -> Iterator[Callable[[DataVersion], dict[str, str]]]:
    """Asks one open store for listings; it is opened with the first question."""
    from patchae.dataset.dvc_repo import open_store
    from patchae.dataset.dvc_store import Store
    from patchae.dataset.version import read_listing

    with ExitStack() as stack:
        opened: list[Store] = []

        def listing(version: DataVersion) -> dict[str, str]:
            if not opened:
                opened.append(stack.enter_context(open_store(project)))
            return read_listing(opened[0], project, version)

        yield listing
