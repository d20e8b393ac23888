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
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from patchae.predictions import journal, parts, remote
from patchae.predictions.alone import alone
from patchae.predictions.record import Prediction
from patchae.project import Project
from patchae.settings import settings

SYNC_S = 1.0
"""A power cut loses at most the decisions of so many seconds."""
ROTATE_S, ROTATE_ROWS = 900.0, 50_000
"""A journal becomes Parquet after so long, or with so many decisions."""
AGAIN_S = 10.0
"""What could not be stored is tried again after so long."""
_Step = tuple[str, Callable[[], object]]
_log = logging.getLogger("patchae.predictions")


class PredictionLog:
    """The log of one process; any number of processes and threads may have the same folder."""

    def __init__(self, root: Path, *, address: str = "", keep_days: int = 0) -> None:
        self._root, self._address, self._keep_days = root, address, keep_days
        self._lock = threading.Lock()
        self._journal: journal.Journal | None = None
        self._ended = threading.Event()
        self._tidied: date | None = None
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
        """Have everything logged so far in Parquet."""
        with self._lock:
            done, self._journal = self._journal, None
            if done is not None:
                done.sync()
                done.close()
        self._finish()

    def close(self) -> None:
        """Flush, and stop the thread."""
        self._ended.set()
        self._thread.join()
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
        finish(self._root)
        today = datetime.now(UTC).date()
        if self._tidied != today:
            join_days(self._root, today)
            retain(self._root, self._keep_days, today)
            self._tidied = today
        if self._address:
            remote.send(self._root, self._address)


def finish(root: Path) -> None:
    """Turn the journals of processes that are gone, or done with them, into Parquet.

    One that cannot be stored stays and keeps no other waiting; its trouble is raised at the end.
    """
    _every(_finishing(root))


def _finishing(root: Path) -> Iterator[_Step]:
    for path in journal.journals(root / "journal"):
        yield path.name, partial(_store, root, path)


def _store(root: Path, path: Path) -> None:
    with alone(path) as ours:
        if not ours:
            return
        found, broken = journal.read(path)
        if broken:
            _log.warning("%s: %d lines are not whole, a crash cut them", path.name, broken)
        parts.write(root, path.stem, found)
        path.unlink()


def join_days(root: Path, today: date) -> None:
    """One file for each day that is over; yesterday may still be written by a slow clock."""
    for day in parts.days(root):
        if day < today - timedelta(days=1):
            parts.join(parts.day_folder(root, day))


def retain(root: Path, keep_days: int, today: date) -> list[date]:
    """Remove the days that are older than `keep_days`, here; 0 keeps all. Returns them."""
    if not keep_days:
        return []
    gone = [day for day in parts.days(root) if day < today - timedelta(days=keep_days)]
    for day in gone:
        folder = parts.day_folder(root, day)
        parts.remove(folder.glob("*.parquet"))
        with suppress(OSError):
            folder.rmdir()
    return gone


def _every(steps: Iterable[_Step]) -> None:
    """Do every step, whatever comes of the others.

    Raises the first trouble once all is done; each has been said by then.
    """
    first: Exception | None = None
    for what, step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - raised below
            told = str(error).partition("\n")[0] or type(error).__name__
            _log.warning("decisions wait to be stored: %s: %s", what, told)
            first = first or error
    if first is not None:
        raise first


def since(seconds: float) -> float:
    """Milliseconds since a moment of `time.perf_counter`."""
    return (time.perf_counter() - seconds) * 1e3
