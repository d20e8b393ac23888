"""A process that logs and is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from patchae.predictions import journal
from patchae.predictions.log import PredictionLog
from patchae.predictions.reading import predictions
from patchae.project import Project

_WRITER = """
import sys
from pathlib import Path
from patchae.predictions import log
log.SYNC_S, log.ROTATE_ROWS = 0.02, 50
from tests.unit.predictions.test_log import decision
book = log.PredictionLog(Path(sys.argv[1]))
start = int(sys.argv[2])
for number in range(start, start + 100_000):
    book.append(decision(number))
    print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_and_counts_nothing_twice(project: Project) -> None:
    """Killed at moments that nobody chose, while journals become Parquet all the time."""
    answered: set[int] = set()
    for attempt in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, project.predictions, str(attempt * 1_000_000)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(0.3 + 0.11 * attempt)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        lines = (first + rest).splitlines(keepends=True)
        answered |= {int(line) for line in lines if line.endswith("\n")}
    book = PredictionLog(project.predictions)
    book.close()
    found = [int(one.image, 16) for one in predictions(project)]
    assert len(found) == len(set(found))
    assert answered <= set(found)
    # Nothing but the one that was being answered when the kill came.
    assert len(set(found) - answered) <= 6
    assert journal.journals(project.predictions / "journal") == []
