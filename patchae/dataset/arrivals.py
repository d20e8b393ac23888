"""Which images came in by capture or feedback: one that a person removed does not come back.

One line of JSON per image in `.patchae/captured.jsonl`, only ever appended to, and after the image
has arrived: one that a crash kept out is not taken for removed. A line that was torn by a crash is
passed over; the capture that follows finds the image in its place and writes the line again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection

from patchae.files import MODE, canonical_json
from patchae.project import Project
from patchae.types import Sha256


def arrived(project: Project, class_name: str) -> set[Sha256]:
    """Return the digests of the images that came into a class."""
    digests = set()
    try:
        lines = project.captured.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return set()
    for line in lines:
        try:
            row = json.loads(line)
            if row["class"] == class_name:
                digests.add(Sha256(row["sha256"]))
        except (ValueError, TypeError, KeyError):  # torn by a crash
            continue
    return digests


def note(project: Project, class_name: str, digests: Collection[Sha256]) -> None:
    """Append those that are not noted yet. The caller holds the project's lock `data`."""
    missing = sorted(set(digests) - arrived(project, class_name))
    if not missing:
        return
    file = project.captured
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.exists() and file.read_bytes()[-1:] not in {b"", b"\n"}
    text = "".join(canonical_json({"class": class_name, "sha256": it}) + "\n" for it in missing)
    with open(file, "ab", opener=lambda path, flags: os.open(path, flags, MODE)) as log:
        log.write((("\n" if torn else "") + text).encode())
        log.flush()
        os.fsync(log.fileno())
