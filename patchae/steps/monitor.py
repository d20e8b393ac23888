"""Look at the champions of a line, and say which of its classes are to be retrained, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from patchae.config import Line
from patchae.dataset.classes import line_classes
from patchae.drift import store
from patchae.drift.finding import Drift
from patchae.drift.look import Watch
from patchae.drift.look import look as look_at
from patchae.errors import DataError, UsageError
from patchae.files import Progress, silent
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.standing import champion_of
from patchae.registry.tracking import Tracking
from patchae.report.drift_page import write_drift_page


@dataclass(frozen=True)
class Seen:
    """What came of a look at one class."""

    class_name: str
    model: str
    drift: Drift | None
    """What was found. Without a look now: the drift of the champion that the last one confirmed."""
    page: Path | None
    """For people."""
    why_not: str | None = None
    """Why there was no look."""

    @property
    def due(self) -> bool:
        """Whether the class is to be retrained because of this look.

        Once for a version: what was asked for is not asked for again while the same one is in use.
        """
        return self.drift is not None and bool(self.drift.confirmed) and not self.drift.asked


def monitor(
    project: Project,
    tracking: Tracking,
    line: Line,
    names: Iterable[str],
    folder: Path | None = None,
    *,
    progress: Progress = silent,
) -> Iterator[Seen]:
    """Look at classes of a line, one after the other.

    Args:
        project: whose line it is.
        tracking: its MLflow.
        line: says how often a look may be wrong.
        names: classes of the line.
        folder: recent images, for one class; by default those that the scoring service kept.
        progress: called while images are read.

    Raises:
        DataError, UsageError: a folder was named and cannot be looked at.
        StoreUnreachable: MLflow, the ledger or the log of decisions in S3 does not answer.
    """
    watch = Watch(line.drift, len(line_classes(project, line)))
    for name in names:
        model = line.model_name(name)
        try:
            found = look_at(project, tracking, model, watch, folder, progress=progress)
        except (DataError, UsageError) as error:
            if folder is not None:
                raise
            last = _last(project, model)
            page = write_drift_page(project, last) if last else None
            yield Seen(name, model, last, page, error.what)
            continue
        if found.confirmed and _asked_before(project, found):
            found = store.mark_asked(project, found)
        page = write_drift_page(project, found)
        yield Seen(name, model, found, page)


def _last(project: Project, model: str) -> Drift | None:
    """The last look at the champion, where it confirmed drift: that stands until the next one."""
    last = next((one for one in store.all_of(project, model) if not one.folder), None)
    if last is None or not last.confirmed:
        return None
    current = champion_of(Ledger.of(project).entries(model)).current
    return last if last.version == current else None


def _asked_before(project: Project, found: Drift) -> bool:
    return any(
        one.asked and one.version == found.version for one in store.all_of(project, found.model)
    )
