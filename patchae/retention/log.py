"""The log of tidying: what was removed, when, by whom and why, one line of JSON each.

A line `begins` is on the disk before anything is removed, and a line `done` or `stays` follows it,
so that the log never lacks what is gone. It is only ever appended to. What concerns a registered
version stands in the ledger besides.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from platform import node
from typing import Literal

from patchae.files import MODE, canonical_json, write_whole
from patchae.project import Project
from patchae.retention.item import Asked, Item

Step = Literal["begins", "done", "stays"]


def log_file(project: Project) -> Path:
    """Where the log lies."""
    return project.state / "tidied.jsonl"


def note(project: Project, asked: Asked, item: Item, step: Step, size: int) -> None:
    """Append one line, with the bytes that it is about; it is on the disk when this returns.

    Raises:
        OSError: the disk is full or gone; the line is not there, or not whole.
    """
    line = canonical_json(
        {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "step": step,
            "kind": item.kind,
            "what": item.what,
            "bytes": size,
            "why": item.why,
            "actor": asked.actor,
            "host": node(),
            "policy": asked.policy.model_dump(mode="json"),
        }
    )
    file = log_file(project)
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.exists() and file.read_bytes()[-1:] not in {b"", b"\n"}
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, MODE)
    try:
        write_whole(handle, (("\n" if torn else "") + line + "\n").encode())
        os.fsync(handle)
    finally:
        os.close(handle)
