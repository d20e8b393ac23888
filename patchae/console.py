"""What a person sees while work goes on: progress bars on a terminal, plain lines elsewhere.

The steps report to whatever `watch` installed; without it they report to Python's logging, which
is what a Prefect worker collects. Everything goes to standard error: standard output belongs to
results.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from patchae.files import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

_log = logging.getLogger("patchae")
_QUIET_SECONDS = 5.0


class Watcher(Protocol):
    """Somebody who looks at progress; called from several threads."""

    def step(self, subject: str, what: str, done: int, total: int) -> None:
        """`done` of `total` of `what` are there, for `subject` (a class, or the line)."""

    def say(self, text: str) -> None:
        """One line of news."""


class _Logging:
    def step(self, subject: str, what: str, done: int, total: int) -> None:
        if done >= total:
            _log.info("%s: %s, %s of %s", subject, what, done, total)

    def say(self, text: str) -> None:
        _log.info("%s", text)


class _Lines:
    """Plain lines with the time: the end of each step, and a sign of life in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._ended: set[tuple[str, str]] = set()

    def step(self, subject: str, what: str, done: int, total: int) -> None:
        with self._lock:
            now, ended = time.monotonic(), done >= total
            if (subject, what) in self._ended and ended:
                return
            if not ended and now - self._last.get(subject, 0) < _QUIET_SECONDS:
                return
            self._last[subject] = now
            (self._ended.add if ended else self._ended.discard)((subject, what))
        self.say(f"{subject}: {what} {done}/{total}" if total > 1 else f"{subject}: {what}")

    def say(self, text: str) -> None:
        clock = datetime.now().astimezone().strftime("%H:%M:%S %Z")
        sys.stderr.write(f"{clock}  {text}\n")
        sys.stderr.flush()


class _Bars:
    """One bar per class, and news above them."""

    def __init__(self) -> None:
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
        self._lock = threading.Lock()

    def step(self, subject: str, what: str, done: int, total: int) -> None:
        kind = what.partition(",")[0]  # what follows changes with every step, as a loss does
        with self._lock:
            if subject not in self._tasks:
                self._tasks[subject] = self._bars.add_task(what, subject=subject), ""
            task, before = self._tasks[subject]
            self._tasks[subject] = task, kind
        if kind != before:  # the time left follows from the speed of this step alone
            self._bars.reset(task, total=total, description=what)
        self._bars.update(task, description=what, completed=done, total=total)

    def say(self, text: str) -> None:
        self._bars.console.print(text, highlight=False, markup=False)

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


_watcher: Watcher = _Logging()


@contextmanager
def watch(*, quiet: bool = False) -> Iterator[None]:
    """Show progress to a person for the time of the block; `quiet` shows nothing."""
    global _watcher  # noqa: PLW0603 - one process, one person
    before = _watcher
    try:
        if quiet:
            _watcher = _Logging()
            yield
        elif sys.stderr.isatty():
            with _Bars() as bars:
                _watcher = bars
                yield
        else:
            _watcher = _Lines()
            yield
    finally:
        _watcher = before


def say(text: str) -> None:
    """One line of news to whoever watches."""
    _watcher.say(text)


def progress_of(subject: str) -> Progress:
    """The progress callback of one class (or of the line as a whole)."""

    def step(what: str, done: int, total: int) -> None:
        _watcher.step(subject, what, done, total)

    return step
