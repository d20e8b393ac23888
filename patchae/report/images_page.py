"""What validation found in the images of a line, as one page with thumbnails of the offenders.

One file that works without a network or a script. Equal records and images give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.files import write_text
from patchae.project import Project
from patchae.report import LOCK, templating, text
from patchae.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from jinja2 import Environment

    from patchae.dataset.validation.record import Check, ValidationRecord

_SIDE = 144
"""Longer side of a thumbnail in pixels: shown at half the size, sharp on fine screens."""
_WORDS = {"promoted": "Passed", "held": "Warning", "rejected": "Error"}
_STATES = {"ok": "promoted", "warning": "held", "FAILED": "rejected"}


@dataclass(frozen=True)
class Finding:
    """One check that did not pass, ready to be shown."""

    check: Check
    state: str
    thumbnails: tuple[tuple[str, str | None], ...]
    """Path, and the picture as a data URI; None where there is nothing to see."""


def images_page(project: Project, line: str) -> Path:
    """Where the page of a line lies."""
    return project.reports / line / "images.html"


def write_images_page(
    project: Project,
    line: str,
    version: str,
    records: Sequence[ValidationRecord],
    absent: Mapping[str, str],
) -> Path:
    """Write the page of a line in one step; returns its path.

    Args:
        project: holds the images.
        line: name of the line.
        version: the data version that was checked.
        records: one for each class that could be read.
        absent: why the others could not, by class.
    """
    findings = {
        record.class_name: [
            Finding(
                check,
                _STATES[check.word],
                tuple((path, thumbnail(project.data / path, _SIDE, 80)) for path in check.paths),
            )
            for check in sorted(record.checks, key=lambda check: check.severity)
            if not check.passed
        ]
        for record in records
    }
    page = (
        _environment()
        .get_template("images.html.j2")
        .render(line=line, version=version, records=records, findings=findings, absent=absent)
    )
    path = images_page(project, line)
    with project.lock(LOCK):  # the site is made anew around it
        write_text(path, templating.whole(page))
    return path


def _environment() -> Environment:
    return templating.environment(WORDS=_WORDS, STATES=_STATES, count=text.count)
