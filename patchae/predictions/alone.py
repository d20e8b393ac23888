"""Hold what nobody else may work on meanwhile; the system frees what a dead process held."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold a file for the length of a block; False where another one holds it, or it is gone."""
    try:
        file = os.open(path, os.O_RDWR)  # what is only read cannot be held on a network share
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield path.exists()  # whoever held it may have been done with it just now
    finally:
        os.close(file)


@contextmanager
def alone_in(root: Path) -> Iterator[bool]:
    """Hold the files of days of a log for the length of a block; False where another does."""
    root.mkdir(parents=True, exist_ok=True)
    lock = root / ".lock"
    lock.touch()
    with alone(lock) as ours:
        yield ours
