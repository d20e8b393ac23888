"""The log of decisions as whoever decides sees it: `append`, and everything else happens behind.

A decision is in a journal before it is answered (`patchae.predictions.journal`). One thread has the
journal on the disk every second, and begins another in time. A second one does what may take long
(`patchae.predictions.storing`): it turns a journal that is over into Parquet, joins the parts of
days that are over, sends them to S3 where that is asked for, and removes what retention ends. What
cannot be done now is said and done later, and no answer waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from patchae.predictions import journal, reading, storing
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
        self._journal: journal.Journal | None = None
        self._over: list[journal.Journal] = []
        """Journals that get no more decisions; whoever settles closes them, and nobody else."""
        self._lock = threading.Lock()
        """Held for as long as a line takes, and never for a sync, a file or a server."""
        self._settling, self._storing = threading.Lock(), threading.Lock()
        self._tidied: date | None = None
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=f"prediction log: {name}", daemon=True)
            for name, work in (("disk", self._keep_settling), ("stores", self._keep_storing))
        ]
        for one in self._threads:
            one.start()

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
                    self._over.append(self._journal)
                    self._journal = None

    def logged(self, decisions: Collection[Prediction]) -> set[Prediction]:
        """Those of some decisions that are in the log, whichever process logged them.

        Raises:
            StoreUnreachable: they may be in S3, which does not answer.
        """
        if not decisions:
            return set()
        times = [one.time for one in decisions]
        found = reading.table(
            self._root,
            self._address,
            images={one.image for one in decisions},
            since=min(times),
            until=max(times) + timedelta(microseconds=1),
        )
        return {Prediction(**row) for row in found.to_pylist()}.intersection(decisions)

    def flush(self) -> None:
        """Have everything logged so far in Parquet, and in S3 where that is asked for.

        What another process is sending is left to it.

        Raises:
            PatchaeError, OSError: something of that cannot be done now; it is done later.
        """
        self._settle(end=True)
        self._store()

    def close(self) -> None:
        """Flush, and stop the threads; what cannot be stored now is said, and waits here."""
        self._ended.set()
        for one in self._threads:
            one.join()
        self._try_to_settle(end=True)
        self._try_to_store()

    def _keep_settling(self) -> None:
        while not self._ended.wait(SYNC_S):
            self._try_to_settle(end=False)

    def _keep_storing(self) -> None:
        done = self._try_to_store()
        while not self._ended.wait(SYNC_S if done else AGAIN_S):
            done = self._try_to_store()

    def _try_to_settle(self, *, end: bool) -> None:
        try:
            self._settle(end=end)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
            _log.warning("decisions may not be on the disk itself: %s", error)

    def _try_to_store(self) -> bool:
        try:
            self._store()
        except Exception:  # noqa: BLE001 - it has been said, and the thread goes on
            return False
        return True

    def _settle(self, *, end: bool) -> None:
        """Have what was logged on the disk itself; with `end` the journal is over, however young.

        Raises:
            OSError: the disk is gone.
        """
        with self._settling, ExitStack() as closing:
            with self._lock:
                now = self._journal
                if now is not None and (end or now.age_s > ROTATE_S or now.rows >= ROTATE_ROWS):
                    self._over.append(now)
                    now = self._journal = None
                over, self._over = self._over, []
            for one in over:
                closing.callback(one.close)
            for one in [*over, *([now] if now else [])]:
                one.sync()

    def _store(self) -> None:
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
