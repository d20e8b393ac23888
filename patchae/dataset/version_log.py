"""Which data versions were made here, in their order: patchae's own record, with or without Git.

One line of JSON per version in `.patchae/versions.jsonl`, only ever appended to. A line that was
torn by a crash is passed over; the snapshot that follows writes it again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from patchae.files import MODE, canonical_json
from patchae.project import Project
from patchae.types import DataVersion


@dataclass(frozen=True)
class Entry:
    """One snapshot that found another version than the one before."""

    version: DataVersion
    made: str  # ISO 8601, UTC
    files: int  # under data/, masks included
    bytes: int


def own_clock() -> datetime:
    """The time by the clock of this machine, aware, in UTC."""
    return datetime.now(UTC)


def note(
    project: Project,
    version: DataVersion,
    files: int,
    size: int,
    made: datetime,
) -> bool:
    """Append a version unless it is the last one noted; whether it was appended.

    Law: no version is dated before the one noted before it, even where a clock was set back: which
    of two is the older one decides about promotions.

    The caller holds the project's lock `data`.
    """
    known = entries(project)
    if known and known[-1].version == version:
        return False
    if known:
        made = max(made, datetime.fromisoformat(known[-1].made))
    entry = Entry(version, made.isoformat(timespec="seconds"), files, size)
    line = canonical_json(asdict(entry)) + "\n"
    file = project.versions
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.exists() and file.read_bytes()[-1:] not in {b"", b"\n"}
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, MODE)
    try:
        os.write(handle, (("\n" if torn else "") + line).encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    return True


def entries(project: Project) -> list[Entry]:
    """The versions noted, oldest first; one that came back stands there again."""
    try:
        lines = project.versions.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):  # torn by a crash
            continue
    return found


def made(project: Project, version: DataVersion) -> str | None:
    """When a version was last made here (ISO 8601, UTC); None: that is not noted."""
    known = [entry.made for entry in entries(project) if entry.version == version]
    return known[-1] if known else None


def first_made(project: Project, version: DataVersion) -> str | None:
    """When a version was made here for the first time; otherwise as `made`."""
    known = (entry.made for entry in entries(project) if entry.version == version)
    return next(known, None)


def before(project: Project, version: DataVersion) -> list[DataVersion]:
    """The versions that were there before one (if it is noted, else all), newest first, each once.

    What counts is when it was last made: a version that came back has those before it that were
    there in between.
    """
    known = [entry.version for entry in entries(project)]
    if version in known:
        known = known[: len(known) - 1 - known[::-1].index(version)]
    return [one for one in dict.fromkeys(reversed(known)) if one != version]
