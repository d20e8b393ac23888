"""The log of decisions as whoever decides sees it: `append`, and everything else happens behind.

A decision is in a journal before it is answered (`patchae.predictions.journal`). A thread has
journals on the disk every second, turns one that is finished into Parquet, sends the Parquet to S3
where that is asked for, joins the parts of days that are over and removes what retention ends. What
it cannot do now it does later; it is said, and no answer waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from patchae.predictions import journal, storing
from patchae.predictions.record import Prediction
from patchae.project import Project
from patchae.settings import settings

SYNC_S = 1.0
"""A power cut loses at most the decisions of so many seconds."""
ROTATE_S, ROTATE_ROWS = 900.0, 50_000
"""A journal becomes Parquet after so long, or with so many decisions."""
AGAIN_S = 10.0
"""What could not be stored is tried again after so long."""
_log = logging.getLogger("patchae.predictions")


class PredictionLog:
    """The log of one process; any number of processes and threads may have the same folder."""

    def __init__(self, root: Path, *, address: str = "", keep_days: int = 0) -> None:
        self._root, self._address, self._keep_days = root, address, keep_days
        self._lock = threading.Lock()
        self._journal: journal.Journal | None = None
        self._ended = threading.Event()
        self._tidied: date | None = None
        self._storing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="prediction log", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, project: Project) -> PredictionLog:
        """The log of a project: `PATCHAE_PREDICTIONS` and `PATCHAE_PREDICTIONS_DAYS` say how."""
        found = settings()
        return cls(project.predictions, address=found.predictions, keep_days=found.predictions_days)

    def append(self, prediction: Prediction) -> None:
        """Log one decision. After it returns a crash of this process loses it no more.

        Raises:
            OSError: the disk is full or gone; an answer that cannot be logged is none.
        """
        with self._lock:
            if self._journal is None:
                self._journal = journal.Journal(self._root / "journal")
            try:
                self._journal.append(prediction)
            finally:
                if not self._journal.whole:
                    self._journal.close()
                    self._journal = None

    def flush(self) -> None:
        """Have everything logged so far in Parquet, and in S3 where that is asked for.

        Raises:
            PatchaeError, OSError: something of that cannot be done now; it is done later.
        """
        with self._lock:
            done, self._journal = self._journal, None
            if done is not None:
                done.sync()
                done.close()
        self._finish()

    def close(self) -> None:
        """Flush, and stop the thread. What cannot be stored now is said, and waits for the next."""
        self._ended.set()
        self._thread.join()
        with suppress(Exception):  # it has been said; what was logged is in a journal or a part
            self.flush()

    def _work(self) -> None:
        self._quietly()
        while not self._ended.wait(SYNC_S):
            with self._lock:
                now = self._journal
                if now is not None:
                    with suppress(OSError):  # a full disk refuses the next answer, and says so
                        now.sync()
                    age = (datetime.now(UTC) - now.began).total_seconds()
                    if age > ROTATE_S or now.rows >= ROTATE_ROWS:
                        now.close()
                        self._journal = None
            self._quietly()

    def _quietly(self) -> None:
        try:
            self._finish()
        except Exception:  # noqa: BLE001 - whatever it is, this thread goes on; it has been said
            self._ended.wait(AGAIN_S)

    def _finish(self) -> None:
        """Everything that can be done about what is not being written any more."""
        with self._storing:
            today = datetime.now(UTC).date()
            before, self._tidied = self._tidied, today
            storing.store(
                self._root,
                address=self._address,
                keep_days=self._keep_days,
                today=today if before != today else None,
            )


def since(seconds: float) -> float:
    """Milliseconds since a moment of `time.perf_counter`."""
    return (time.perf_counter() - seconds) * 1e3
