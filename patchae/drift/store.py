"""Looks for drift on disk: one folder each, with its finding and the images that show it.

.patchae/drift/<model>/<stamp>/drift.json
.patchae/drift/<model>/<stamp>/images/
.patchae/drift/<model>/waits.json             what looks of a day have had that waited for more
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from patchae.drift.finding import Drift, Reading
from patchae.files import digest_json, folder_in_one_step, write_json
from patchae.project import Project

_FILE, _IMAGES, _WAITS = "drift.json", "images", "waits.json"


def save(project: Project, drift: Drift, worst: Sequence[Path], ordinary: Sequence[Path]) -> Drift:
    """Keep a look, with copies of the images that are to be shown; the look that names them."""
    folder = folder_of(project, drift)
    with folder_in_one_step(folder) as draft:
        (draft / _IMAGES).mkdir()
        told = replace(
            drift,
            worst=_copied(worst, draft, "worst"),
            ordinary=_copied(ordinary, draft, "ordinary"),
        )
        write_json(draft / _FILE, asdict(told))
    return told


def mark_asked(project: Project, drift: Drift) -> Drift:
    """Record that a retraining was asked for because of a look."""
    told = replace(drift, asked=True)
    write_json(folder_of(project, drift) / _FILE, asdict(told))
    return told


def folder_of(project: Project, drift: Drift) -> Path:
    """Where a look lies."""
    stamp = "".join(one for one in drift.checked if one.isalnum())
    return project.drift / drift.model / stamp


def all_of(project: Project, model: str) -> list[Drift]:
    """The looks at a model that are kept, newest first; last those of a clock that was ahead."""
    files = (project.drift / model).glob(f"[!.]*/{_FILE}")
    found = [one for file in files if (one := _read(file)) is not None]
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return sorted(found, key=lambda one: (one.checked <= now, one.checked), reverse=True)


def latest(project: Project, model: str) -> Drift | None:
    """The newest look at what the scoring service kept; None where nobody has looked.

    One at a folder that somebody named says nothing of what cameras see today, so it only counts
    where there is no other.
    """
    looks = all_of(project, model)
    return next((one for one in looks if not one.folder), next(iter(looks), None))


def waits_before(project: Project, model: str, day: str, images: Sequence[str]) -> int:
    """How many looks of a day waited for more, up to one that had these very images.

    Each was a chance of a false alarm; the same images once more are none.
    """
    waits, own = _waits(project, model, day), digest_json([*images])
    return waits.index(own) if own in waits else len(waits)


def note_wait(project: Project, model: str, day: str, images: Sequence[str]) -> None:
    """Record that a look at these images waits for more; the days before are forgotten."""
    waits, own = _waits(project, model, day), digest_json([*images])
    if own not in waits:
        write_json(project.drift / model / _WAITS, {day: [*waits, own]})


def _waits(project: Project, model: str, day: str) -> list[str]:
    try:
        found: list[str] = json.loads((project.drift / model / _WAITS).read_text())[day]
    except (OSError, ValueError, KeyError, TypeError):  # none of this day, or damaged
        return []
    return found


def _read(file: Path) -> Drift | None:
    try:
        told = json.loads(file.read_text())
        told["readings"] = tuple(Reading(**one) for one in told["readings"])
        for key in ("worst", "ordinary", "confirmed", "seen"):
            told[key] = tuple(told[key])
        return Drift(**told)
    except (OSError, ValueError, KeyError, TypeError):  # removed just now, or of another version
        return None


def _copied(files: Sequence[Path], folder: Path, kind: str) -> tuple[str, ...]:
    names = []
    for number, file in enumerate(files):
        name = f"{_IMAGES}/{kind}-{number:02d}{file.suffix.lower()}"
        shutil.copyfile(file, folder / name)
        names.append(name)
    return tuple(names)
