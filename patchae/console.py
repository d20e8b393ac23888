"""What is said while work goes on: on Python's logging, and to a person who watches.

Every line goes to the logger `patchae`: whoever runs a flow hands it to Prefect. `watch` shows the
same lines on standard error, with a bar for each class on a terminal; standard output belongs to
results.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from patchae.files import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

LOGGER = logging.getLogger("patchae")
_WHOLE = logging.Formatter("%(message)s")
"""Of lines that did not come from here: with the traceback, where they have one."""
_QUIET_S = 5.0
"""Between two lines on a step that is not at its end."""
_SHARE = 0.1
_PATIENCE_S = 60.0
"""Such a line comes with every tenth of the step, and at the latest after so long."""


def say(text: str, level: int = logging.INFO, *, details: str = "") -> None:
    """Log one line of news.

    Args:
        text: what a person who watches sees.
        level: of `logging`.
        details: what the log says as well; a person has it from the command's own output.
    """
    LOGGER.log(level, "%s", f"{text}: {details}" if details else text, extra={"shown": text})


def record(text: str, level: int = logging.INFO) -> None:
    """Log one line that a person who watches has from the command's own output."""
    LOGGER.log(level, "%s", text, extra={"shown": ""})


def progress_of(subject: str) -> Progress:
    """Return the progress callback of a class (or of the line as a whole).

    Bars follow every call; a line is logged at the end of each step, and some in between.
    """
    pace = _Pace()

    def step(what: str, done: int, total: int) -> None:
        if _bars is not None:
            _bars.step(subject, what, done, total)
        if pace.is_due(what, done, total):
            count = f" {done}/{total}" if total > 1 else ""
            LOGGER.info("%s: %s%s", subject, what, count, extra={"progress": True})

    return step


class _Pace:
    """Which calls of a progress are worth a line; they come from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kind, self._ended = "", False
        self._said: float | None = None
        self._share = 0.0

    def is_due(self, what: str, done: int, total: int) -> bool:
        kind, ended = _kind(what), done >= total
        share = done / total if total else 1.0
        with self._lock:
            if kind != self._kind:
                self._kind, self._ended, self._share = kind, False, 0.0
            # Some work reports its end again and again, as its total grows.
            due = not self._ended if ended else self._is_sign_of_life(share)
            if due:
                self._said, self._share, self._ended = time.monotonic(), share, ended
        return due

    def _is_sign_of_life(self, share: float) -> bool:
        if self._said is None:
            return True
        quiet = time.monotonic() - self._said
        further = share - self._share >= _SHARE
        return quiet >= _QUIET_S and (further or quiet >= _PATIENCE_S)


def _kind(what: str) -> str:
    """The step itself: what follows the comma changes with every call, as a loss does."""
    return what.partition(",")[0]


def _shown(line: logging.LogRecord) -> str:
    """What a person sees of a log record; nothing where it was seen already."""
    shown: str | None = getattr(line, "shown", None)
    return _WHOLE.format(line) if shown is None else shown


class _Lines(logging.Handler):
    """Plain lines with the time."""

    def emit(self, line: logging.LogRecord) -> None:
        """Write one line."""
        if text := _shown(line):
            clock = datetime.fromtimestamp(line.created).astimezone().strftime("%H:%M:%S %Z")
            sys.stderr.write(f"{clock}  {text}\n")
            sys.stderr.flush()


class _Bars(logging.Handler):
    """One bar per class, and news above them."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.fields[subject]:>12}", markup=False),
            TextColumn("{task.description:<22}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left of this step:"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, tuple[TaskID, str]] = {}
        self._steps = threading.Lock()

    def step(self, subject: str, what: str, done: int, total: int) -> None:
        """Move the bar of a subject."""
        kind = _kind(what)
        with self._steps:
            if subject not in self._tasks:
                self._tasks[subject] = self._bars.add_task(what, subject=subject), ""
            task, before = self._tasks[subject]
            self._tasks[subject] = task, kind
        if kind != before:  # the time left follows from the speed of this step alone
            self._bars.reset(task, total=total, description=what)
        self._bars.update(task, description=what, completed=done, total=total)

    def emit(self, line: logging.LogRecord) -> None:
        """Print one line of news above the bars, which show progress themselves."""
        text = _shown(line)
        if text and not getattr(line, "progress", False):
            self._bars.console.print(text, highlight=False, markup=False)

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


_bars: _Bars | None = None


@contextmanager
def watch() -> Iterator[None]:
    """Show news and progress to a person for the time of the block."""
    global _bars  # noqa: PLW0603 - one process, one person
    bars = _Bars() if sys.stderr.isatty() else None
    before = LOGGER.propagate
    with bars or nullcontext(), logged_to(bars or _Lines()):
        _bars = bars
        LOGGER.propagate = False  # or what other handlers show would be shown twice
        try:
            yield
        finally:
            _bars, LOGGER.propagate = None, before


@contextmanager
def logged_to(handler: logging.Handler) -> Iterator[None]:
    """Hand all news and progress to a handler for the time of the block."""
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.setLevel(level)
        LOGGER.removeHandler(handler)
