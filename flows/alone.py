"""One process at a time trains a class on the same images, whoever started its run.

The run of a line that was killed leaves the runs of its classes behind, which go on; the next run
of the line, or a person, then begins the same training in the same folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flows.stopping import go_on
from patchae.console import say
from patchae.errors import StoreBusy
from patchae.steps.job import ClassJob

_LOOK_S = 1.0
"""A run that waits looks so often whether it was stopped."""


@contextmanager
def alone(job: ClassJob) -> Iterator[None]:
    """Have the training of a job for the length of the block; waits for another run that has it.

    Whoever waited finds in the block what the other one has finished.

    Raises:
        Stopped: the run was stopped while it waited.
    """
    # Two digits: few files, and trainings of one class that share them only wait for each other.
    name, told = f"training-{job.model}-{job.key[:2]}", False
    with ExitStack() as held:
        while True:
            go_on()
            try:
                held.enter_context(job.project.lock(name, timeout=_LOOK_S))
                break
            except StoreBusy:
                if not told:
                    say(f"{job.class_name}: another run trains it in this folder, and is awaited")
                told = True
        yield
