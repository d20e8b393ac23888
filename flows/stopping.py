"""Stop what runs in threads: a signal reaches the main thread, and trainings do not run there.

Prefect cancels a run with SIGTERM, a person with Ctrl-C; both become an exception in the flow,
which then waits for its tasks. So the flow sets a mark, and every task looks at it whenever it
tells its progress, and before it writes to a registry. What has begun to be registered is finished.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from patchae.files import Progress

_stopped = threading.Event()


class Stopped(Exception):
    """The run that this task belongs to was stopped."""


@contextmanager
def stopping_with_the_flow() -> Iterator[None]:
    """Have tasks stop when the block ends with an exception; of one flow in a process."""
    _stopped.clear()
    try:
        yield
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


def unless_stopped(progress: Progress) -> Progress:
    """A progress that stops whoever tells it, once the run is stopped."""

    def tell(step: str, done: int, total: int) -> None:
        go_on()
        progress(step, done, total)

    return tell
