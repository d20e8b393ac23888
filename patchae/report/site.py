"""Where the report of a line lies, and writing it there and into MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from patchae.config import Line
from patchae.dataset.classes import line_classes
from patchae.project import Project
from patchae.registry.tracking import Tracking
from patchae.report.collect import line_report
from patchae.report.page import write


def report_path(project: Project, line: str) -> Path:
    """The page of a line."""
    return project.reports / line / "index.html"


def write_report(
    project: Project, tracking: Tracking, line: Line, failed: Mapping[str, str] | None = None
) -> Path:
    """Write the page of a line as things stand, and log it to MLflow; returns its path.

    Raises:
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    report = line_report(project, tracking, line, line_classes(project, line), failed)
    path = write(report, report_path(project, line.name))
    tracking.log_report(line.name, path)
    return path
