"""Stop what runs in threads: a signal reaches the main thread, and trainings do not run there.

Prefect cancels a run with SIGTERM, a person with Ctrl-C; both become an exception in the flow,
which then waits for its tasks. So the flow sets a mark, and every task looks at it whenever it
tells its progress, and before it writes to a registry. A cancelled run that has not come so far
after some seconds ends all the same: whatever a training writes may be cut off at any moment, and
what has begun to be registered is finished first.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from patchae.files import Progress

_GRACE_S = 4.0
_WRITING_S = 20.0
"""Prefect kills a run that it cancelled after 30 s."""
_TERMINATED = 143  # as a shell tells SIGTERM
_stopped = threading.Event()
_changed = threading.Condition()
_writers = 0


class Stopped(Exception):
    """The run that this task belongs to was stopped."""


@contextmanager
def stopping_with_the_flow() -> Iterator[None]:
    """Have tasks stop when the block ends with an exception; of one flow in a process."""
    from prefect.exceptions import TerminationSignal

    _stopped.clear()
    try:
        yield
    except TerminationSignal:
        _stopped.set()
        threading.Thread(target=_end, name="stopping", daemon=True).start()
        raise
    except BaseException:
        _stopped.set()
        raise


def go_on() -> None:
    """Go on only if the run was not stopped.

    Raises:
        Stopped: it was.
    """
    if _stopped.is_set():
        raise Stopped("the run was stopped")


def pause(seconds: float) -> None:
    """Wait, but no longer than the run goes on.

    Raises:
        Stopped: it was stopped.
    """
    _stopped.wait(seconds)
    go_on()


@contextmanager
def writing() -> Iterator[None]:
    """Finish what is in the block even if the run is stopped meanwhile.

    Raises:
        Stopped: the run was stopped before.
    """
    global _writers  # noqa: PLW0603 - the run is one for the whole process
    with _changed:
        go_on()
        _writers += 1
    try:
        yield
    finally:
        with _changed:
            _writers -= 1
            _changed.notify_all()


def unless_stopped(progress: Progress) -> Progress:
    """A progress that stops whoever tells it, once the run is stopped."""

    def tell(step: str, done: int, total: int) -> None:
        go_on()
        progress(step, done, total)

    return tell


def _end() -> None:
    time.sleep(_GRACE_S)
    with _changed:
        _changed.wait_for(lambda: _writers == 0, _WRITING_S)
    os._exit(_TERMINATED)
