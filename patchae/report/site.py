"""Where the pages of a line lie, and writing them there and into MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from patchae.config import Line
from patchae.dataset.classes import line_classes
from patchae.files import write_text
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking
from patchae.report.collect import line_report
from patchae.report.life import life_of, render
from patchae.report.page import write


def report_path(project: Project, line: str) -> Path:
    """The page of a line."""
    return project.reports / line / "index.html"


def write_report(
    project: Project, tracking: Tracking, line: Line, failed: Mapping[str, str] | None = None
) -> Path:
    """Write the page of a line as things stand, and one on the life of each of its models.

    All are logged to MLflow, too, where the links between them lead on.

    Returns:
        The path of the line's page.

    Raises:
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    report = line_report(project, tracking, line, line_classes(project, line), failed)
    path = report_path(project, line.name)
    lives = [
        _write_life(project, item.model, path.with_name(item.life), report.generated)
        for item in report.classes
        if item.life
    ]
    write(report, path)  # last, since it leads to the others
    tracking.log_report(line.name, path, *lives)
    return path


def _write_life(project: Project, model: str, path: Path, generated: datetime) -> Path:
    life = life_of(model, Ledger.of(project).entries(model), generated)
    write_text(path, render(life, "index.html"))
    return path
