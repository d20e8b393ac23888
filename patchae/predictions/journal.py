"""Where a decision goes first: a file of one process to which lines are only ever appended.

Each line carries a checksum, so that one which a crash cut short is known for what it is. A line is
with the operating system before `append` returns: a process that is killed loses nothing, and a
machine that loses power loses what was written since the last `sync`. The process holds a lock on
its journal, by which others know that it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
import zlib
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from patchae.files import MODE, write_whole
from patchae.predictions.record import Prediction

SUFFIX = ".jsonl"


class Journal:
    """The journal that this process writes; only `sync` may be called beside anything else."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self.path = folder / f"{stamp}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self.rows = self._length = 0
        self.whole = True
        """Whether it ends with a whole line; if not, it must have no more of them."""
        # Others find it only once it is locked: until then it would look like one whose process
        # is gone, and be taken away.
        hidden = folder / f".{self.path.name}"
        self._file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, MODE)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        hidden.rename(self.path)

    def append(self, prediction: Prediction) -> None:
        """Write one decision.

        Raises:
            OSError: the disk is full or gone; the decision is not in the journal.
        """
        line = line_of(prediction)
        try:
            write_whole(self._file, line)
        except OSError:
            # The next line would be glued to the half of this one, and lost with it.
            self.whole = False
            os.ftruncate(self._file, self._length)
            self.whole = True
            raise
        self._length += len(line)
        self.rows += 1

    @property
    def age_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def sync(self) -> None:
        """Have everything on the disk itself; another thread may append meanwhile.

        Raises:
            OSError: the disk is gone.
        """
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of it; the file stays."""
        os.close(self._file)


def line_of(prediction: Prediction) -> bytes:
    """The line of one decision, with its checksum in front and its end."""
    told = json.dumps(
        asdict(prediction) | {"time": prediction.time.isoformat()}, separators=(",", ":")
    ).encode()
    return b"%08x %s\n" % (zlib.crc32(told), told)


def read(path: Path) -> tuple[list[Prediction], int]:
    """The decisions in a journal, and how many lines of it are not whole."""
    found, broken = [], 0
    for line in path.read_bytes().splitlines():
        sum_, _, told = line.partition(b" ")
        if sum_ != b"%08x" % zlib.crc32(told):
            broken += 1
            continue
        row = json.loads(told)
        found.append(Prediction(**row | {"time": datetime.fromisoformat(row["time"])}))
    return found, broken


def journals(folder: Path) -> list[Path]:
    """All journals in a folder, oldest first."""
    return sorted(folder.glob(f"[!.]*{SUFFIX}"))
