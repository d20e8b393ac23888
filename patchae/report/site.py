"""The site: where its pages lie, and writing them, there and into MLflow.

`write_site` makes all of it. `write_report` renews the pages of one line, as a retraining does, and
the pages over all lines. Both hold the lock `report`, so that neither overtakes the other, and put
the pages in their places only once all of them are made: `publish`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from patchae.config import Line
from patchae.dataset.classes import line_classes
from patchae.files import write_bytes, write_text
from patchae.lineage.ledger_view import LedgerView, view
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking
from patchae.report import LOCK, failures, page
from patchae.report.collect import audited, line_report
from patchae.report.content import Audit, LineReport
from patchae.report.images_page import images_page
from patchae.report.life import life_of, render
from patchae.report.looks import page_of
from patchae.report.morning import plant
from patchae.report.now import Now, Plant
from patchae.report.publish import pages_with, remove_others, renewed
from patchae.report.start import AUDITS, LEDGER, START, audits_page, ledger_page, start_page


def start_path(project: Project) -> Path:
    """The page over all lines."""
    return project.reports / START


def report_path(project: Project, line: str) -> Path:
    """The page of a line."""
    return project.reports / line / "index.html"


def write_site(project: Project, tracking: Tracking) -> Plant:
    """Write every page of every line, with what the last audits found.

    Pages that others put beside them, such as that of validation, stay.

    Returns:
        What the start page shows; it lies at `start_path`.

    Raises:
        StoreUnreachable: MLflow or the ledger cannot be used.
        StoreBusy: another process has been writing pages for too long.
    """
    with project.lock(LOCK):
        book = view(Ledger.of(project))
        found = plant(project, book)
        lines = load_lines(project.lines_file).lines
        with renewed(project.reports) as draft:
            for line in lines:
                report = _report(project, tracking, line, book)
                told = images_page(project, line.name).is_file()
                _write(_pages(report, found, book, home=True, images=told), draft / line.name)
                _looks(project, found, line, draft / line.name)
            _write(_over_all(found, book, pages_with(project.reports, draft)), draft)
        remove_others(project.reports, {line.name for line in lines})
    return found


def write_report(
    project: Project,
    tracking: Tracking,
    line: Line,
    failed: Mapping[str, str] | None = None,
    finished: Collection[str] = (),
) -> Path:
    """Write the pages of a line as things stand, every champion audited, and those over all lines.

    The page of the line and those of its models are logged to MLflow, too, where the links between
    them lead on.

    Args:
        project: the project.
        tracking: its MLflow.
        line: the line.
        failed: why classes could not be finished in this run; it is said until they are.
        finished: the classes that were finished in this run.

    Returns:
        The path of the line's page.

    Raises:
        StoreUnreachable: MLflow or the ledger cannot be used.
        StoreBusy: another process has been writing pages for too long.
    """
    failures.remember(project, line.name, failed or {}, finished)
    # To audit takes a while, so it is done before; all that is shown is gathered under the lock, or
    # pages that another process writes meanwhile would be newer than these and be replaced by them.
    audits = audited(project, tracking, line, line_classes(project, line))
    path = report_path(project, line.name)
    with project.lock(LOCK):
        book = view(Ledger.of(project))
        found = plant(project, book)
        report = _report(project, tracking, line, book, audits)
        told = images_page(project, line.name).is_file()
        with renewed(project.reports) as draft:
            _write(_pages(report, found, book, home=True, images=told), draft / line.name)
            _looks(project, found, line, draft / line.name)
            _write(_over_all(found, book, pages_with(project.reports, draft)), draft)
    with TemporaryDirectory() as folder:  # MLflow keeps them flat, without the pages above
        kept = _write(_pages(report, found, book, home=False), Path(folder))
        tracking.log_report(line.name, *kept)
    return path


def _report(
    project: Project,
    tracking: Tracking,
    line: Line,
    book: LedgerView,
    audits: Mapping[str, Audit] | None = None,
) -> LineReport:
    told = {name: one.why for name, one in failures.failures(project, line.name).items()}
    classes = line_classes(project, line)
    return line_report(project, tracking, line, classes, told, book=book, audits=audits)


def _pages(
    report: LineReport, found: Plant, book: LedgerView, *, home: bool, images: bool = False
) -> dict[str, str]:
    """The pages of a line by file name; that of the line comes last, since it leads to the others.

    Args:
        report: the line.
        found: all lines.
        book: the ledger.
        home: whether the pages over all lines lie in the folder above.
        images: whether the page of validation lies beside them.
    """
    now = {one.model: one if home else _alone(one) for one in found.models}
    lives = {
        item.life: render(
            life_of(item.model, book.of(item.model), report.generated),
            "index.html",
            now.get(item.model),
            home=home,
        )
        for item in report.classes
        if item.life
    }
    return {**lives, "index.html": page.render(report, home=home, images=images)}


def _alone(now: Now) -> Now:
    """The same for a page beside which the last look for drift does not lie."""
    return replace(now, looked=replace(now.looked, page=None)) if now.looked else now


def _looks(project: Project, found: Plant, line: Line, folder: Path) -> None:
    """Put the page of each model's last look for drift beside the pages of its line."""
    for model in found.models:
        if model.line == line.name and model.looked and model.looked.page:
            page = page_of(project, model.looked).read_bytes()
            write_bytes(folder / model.looked.page, page)


def _over_all(found: Plant, book: LedgerView, pages: Collection[str]) -> dict[str, str]:
    return {
        LEDGER: ledger_page(found, book.entries, pages),
        AUDITS: audits_page(found, pages),
        START: start_page(found, pages),
    }


def _write(pages: Mapping[str, str], folder: Path) -> list[Path]:
    for name, text in pages.items():
        write_text(folder / name, text)
    return [folder / name for name in pages]
