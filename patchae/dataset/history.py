"""The data versions of a project: from patchae's own record and from the history of `data.dvc`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from patchae.dataset import git, version_log
from patchae.dataset.layout import GROUND_TRUTH
from patchae.dataset.pin import parse_pin
from patchae.dataset.version import listing
from patchae.errors import DataError, UsageError
from patchae.images import IMAGE_SUFFIXES
from patchae.project import Project
from patchae.types import DataVersion

_LEAST = 4
"""Characters that name a version."""


@dataclass(frozen=True)
class Change:
    """How the files of one class differ from the version before."""

    added: int
    removed: int
    changed: int
    """Other content under the same name."""
    moved: int
    """The same content under another name: in another split, another kind, or renamed."""


@dataclass(frozen=True)
class Version:
    """One version, as often as it came to be the current one."""

    version: DataVersion
    made: datetime
    commit: str | None
    """Where Git has it, the commit that pinned it first."""
    files: int
    bytes: int
    counts: Mapping[str, Mapping[str, int]] | None
    """By class, images by kind (`train/good`, `test/hole` ...); None where it cannot be had."""
    changes: Mapping[str, Change] | None
    """By class that changed; None where there is none before, or one of both cannot be had."""


def versions(project: Project) -> list[Version]:
    """All versions that are known here, newest first.

    Raises:
        StoreUnreachable: a listing lies in the remote alone, and that does not answer.
    """
    found: list[Version] = []
    before: dict[str, str] | None = None
    for version, made, commit, files, size in _known(project):
        now = _listing(project, version)
        found.append(
            Version(
                version=version,
                made=made,
                commit=commit,
                files=files,
                bytes=size,
                counts=_counts(now) if now is not None else None,
                changes=_changes(before, now) if found and None not in (before, now) else None,
            )
        )
        before = now
    return found[::-1]


def changed_classes(
    project: Project, before: DataVersion | None, now: DataVersion
) -> dict[str, Change]:
    """How the classes of a version differ from those of another, or from none; by class.

    Raises:
        DataError: a listing is gone.
        StoreUnreachable: a listing lies in the remote alone, and that does not answer.
    """
    return _changes(listing(project, before) if before else None, listing(project, now))


def find(project: Project, text: str) -> DataVersion:
    """The version that begins like a text of at least four characters.

    Raises:
        UsageError: no version does, or several, or the text is shorter.
    """
    if len(text) < _LEAST:
        raise UsageError(
            f"'{text}' is too short to name a data version",
            where=str(project.root),
            mend=f"give at least {_LEAST} of its characters; patchae versions lists them all",
        )
    every = dict.fromkeys(version for version, *_ in _known(project))
    matching = [version for version in every if version.startswith(text)]
    if len(matching) == 1:
        return matching[0]
    what = f"{len(matching)} data versions begin" if matching else "no data version begins"
    raise UsageError(
        f"{what} with '{text}'",
        where=str(project.root),
        mend="patchae versions lists them; the first eight characters are enough",
    )


def timeline(project: Project) -> list[tuple[datetime, DataVersion]]:
    """When each version came to be the current one, oldest first; one may come back.

    Takes no listing from any store.
    """
    return [(made, version) for version, made, *_ in _known(project)]


_Row = tuple[DataVersion, datetime, str | None, int, int]


def _known(project: Project) -> list[_Row]:
    """Versions with times, oldest first; neighbours that are the same version are one."""
    rows: list[_Row] = [
        (entry.version, datetime.fromisoformat(entry.made), None, entry.files, entry.bytes)
        for entry in version_log.entries(project)
    ]
    for commit, made, content in git.history(project.root, project.data_dvc.name):
        try:
            out = parse_pin(content)
        except ValueError:  # a commit with conflict marks, or from before patchae
            continue
        rows.append(
            (
                DataVersion(out["md5"]),
                datetime.fromisoformat(made),
                commit,
                int(out.get("nfiles", 0)),
                int(out.get("size", 0)),
            )
        )
    merged: list[_Row] = []
    for row in sorted(rows, key=lambda row: row[1]):
        if merged and merged[-1][0] == row[0]:
            merged[-1] = (*merged[-1][:2], merged[-1][2] or row[2], *merged[-1][3:])
        else:
            merged.append(row)
    return merged


def _listing(project: Project, version: DataVersion) -> dict[str, str] | None:
    try:
        return listing(project, version)
    except DataError:  # neither remote nor cache has it any more
        return None


def _counts(files: Mapping[str, str]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for path in files:
        parts = path.split("/")
        suffix = "." + parts[-1].rpartition(".")[2].lower()
        if len(parts) == 4 and parts[1] != GROUND_TRUTH and suffix in IMAGE_SUFFIXES:
            counts.setdefault(parts[0], Counter())[f"{parts[1]}/{parts[2]}"] += 1
    return {name: dict(sorted(kinds.items())) for name, kinds in sorted(counts.items())}


def _changes(before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> dict[str, Change]:
    before, now = before or {}, now or {}
    classes = sorted({path.partition("/")[0] for path in before.keys() | now.keys()})
    found = {}
    for name in classes:
        old = {path: md5 for path, md5 in before.items() if path.partition("/")[0] == name}
        new = {path: md5 for path, md5 in now.items() if path.partition("/")[0] == name}
        if old != new:
            found[name] = _change(old, new)
    return found


def _change(old: Mapping[str, str], new: Mapping[str, str]) -> Change:
    gone = Counter(md5 for path, md5 in old.items() if path not in new)
    come = Counter(md5 for path, md5 in new.items() if path not in old)
    moved = (gone & come).total()
    changed = sum(old[path] != new[path] for path in old.keys() & new.keys())
    return Change(come.total() - moved, gone.total() - moved, changed, moved)
