"""What the last audit of a version found: kept, so that a page can say it without a new audit.

A convenience and no proof: whoever can write here can write anything. The proof is to audit again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from patchae.files import write_json
from patchae.lineage.material import Audit, Link
from patchae.project import Project


@dataclass(frozen=True)
class LastAudit:
    """An audit and when it was made."""

    audit: Audit
    time: datetime
    """An aware moment in UTC."""


def remember(project: Project, audit: Audit, time: datetime | None = None) -> None:
    """Keep what an audit of the present found, in place of the one before.

    A state that cannot be written is no reason for an audit to fail: then nothing is kept.
    """
    moment = (time or datetime.now(UTC)).astimezone(UTC)
    value = {"time": moment.isoformat(timespec="seconds"), **audit.to_dict()}
    with suppress(OSError):
        write_json(_file(project, audit.model, audit.version), value)


def last_audit(project: Project, model: str, version: str) -> LastAudit | None:
    """The last audit of a version; None where none is kept, or what is kept cannot be read."""
    try:
        told = json.loads(_file(project, model, version).read_text())
        links = tuple(
            Link(link["code"], link["title"], link["state"], link["detail"])
            for link in told["links"]
        )
        return LastAudit(Audit(model, version, links), datetime.fromisoformat(told["time"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _file(project: Project, model: str, version: str) -> Path:
    folder = project.state / "audits" / quote(model, safe="", errors="replace")
    return folder / f"{quote(version, safe='')}.json"
