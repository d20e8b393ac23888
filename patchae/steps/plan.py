"""Which line, which of its classes, and how many at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from patchae.config import Line
from patchae.dataset.classes import check_names, check_per_class, line_classes
from patchae.errors import DataError, UsageError
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.settings import settings


def open_line(name: str, root: Path | None = None) -> tuple[Project, Line]:
    """The project around `root` (default: the current folder) and one of its lines.

    Raises:
        ConfigError: no `lines.yaml`, or one that is not usable.
        UsageError: no line of that name.
    """
    project = Project.find(root)
    return project, load_lines(project.lines_file).line(name)


def classes_of(project: Project, line: Line, wanted: Sequence[str] | None = None) -> list[str]:
    """The classes of a line, or those of them that are wanted, sorted.

    Raises:
        UsageError: one that is wanted is not of this line.
        ConfigError: `per_class` names one that is not, or a folder of data/ is called as no class
            may be.
        DataError: the line has no class at all.
    """
    known = line_classes(project, line)
    check_names(project, line, wanted)
    if not known:
        raise DataError(
            f"line '{line.name}' has no classes",
            where=str(project.data),
            mend="bring images in with `patchae import FOLDER`",
        )
    check_per_class(project, line, known)
    unknown = sorted(set(wanted or ()) - set(known))
    if unknown:
        raise UsageError(
            f"'{unknown[0]}' is not a class of line '{line.name}'",
            where=project.lines_file.name,
            mend=f"use one of: {', '.join(known)}",
        )
    return sorted(set(wanted)) if wanted else known


_slots: threading.BoundedSemaphore | None = None
_slots_lock = threading.Lock()


@contextmanager
def training_slot() -> Iterator[None]:
    """Hold one of the places for a training in this process; waits until one is free."""
    global _slots  # noqa: PLW0603 - the device is one for the whole process
    with _slots_lock:
        if _slots is None:
            _slots = threading.BoundedSemaphore(slots())
    with _slots:
        yield


def slots() -> int:
    """How many classes are trained side by side: `PATCHAE_SLOTS`.

    One by default, on a machine with several GPUs too: every training of a process is on the first
    that it sees, and on the CPU one class uses all cores.
    """
    return settings().slots
