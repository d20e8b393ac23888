"""Which classes the last run of a line could not finish: kept beside its pages.

The ledger knows verdicts, and a class that failed has none. Without this a page that is made again
in the morning would no longer say what went wrong at night.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from patchae.files import write_json
from patchae.project import Project
from patchae.report.now import Failure


def failures(project: Project, line: str) -> dict[str, Failure]:
    """What is kept of a line, by class; nothing where the file cannot be read."""
    try:
        told = json.loads(_file(project, line).read_text())
        return {
            name: Failure(datetime.fromisoformat(one["time"]), one["why"])
            for name, one in told.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def remember(
    project: Project, line: str, failed: Mapping[str, str], finished: Collection[str]
) -> None:
    """Keep why classes failed; forget it of those that were finished. Others stay as they are."""
    before = failures(project, line)
    now = datetime.now(UTC)
    after = {name: one for name, one in before.items() if name not in finished}
    after |= {name: Failure(now, why) for name, why in failed.items()}
    if after != before:
        write_json(
            _file(project, line),
            {
                name: {"time": one.time.isoformat(timespec="seconds"), "why": one.why}
                for name, one in after.items()
            },
        )


def _file(project: Project, line: str) -> Path:
    return project.state / "failed" / f"{line}.json"
