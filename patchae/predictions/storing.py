"""What becomes of decisions behind whoever decides: Parquet, one file a day, S3, and an end.

Each of these is tried whatever becomes of the others, so that one damaged file or a server that is
away keeps nothing else waiting. What cannot be done now is said, and tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from patchae.predictions import journal, parts, remote
from patchae.predictions.alone import alone

_Step = tuple[str, Callable[[], object]]
_log = logging.getLogger("patchae.predictions")


def store(root: Path, *, address: str = "", keep_days: int = 0, today: date | None = None) -> None:
    """Do all that can be done about what no process is writing any more.

    Args:
        root: folder of the log.
        address: where in S3 finished parts go; empty: they stay.
        keep_days: what is older goes; 0: nothing does. With an address that is what was fetched to
            be read: a part that S3 never had is not removed, however old it is.
        today: join days that are over and remove old ones as of this day; None: not now.

    Raises the first trouble once all else is done; each has been said by then.
    """
    steps: list[Iterable[_Step]] = [_finishing(root)]
    if today:
        steps.append(_joining(root, today))
    if address:
        steps.append([("S3", partial(remote.send, root, address))])
    if today:
        kept = remote.caches(root) if address else [root, *remote.caches(root)]
        steps.append(("old days", partial(retain, one, keep_days, today)) for one in kept)
    _every(steps)


def finish(root: Path) -> None:
    """Turn the journals of processes that are gone, or done with them, into Parquet.

    One that cannot be stored stays and keeps no other waiting; its trouble is raised at the end.
    """
    _every([_finishing(root)])


def join_days(root: Path, today: date) -> None:
    """One file for each day that is over; yesterday may still be written by a slow clock.

    A day that cannot be joined stays as it is; its trouble is raised at the end.
    """
    _every([_joining(root, today)])


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


def _finishing(root: Path) -> Iterator[_Step]:
    for path in journal.journals(root / "journal"):
        yield path.name, partial(_finished, root, path)


def _finished(root: Path, path: Path) -> None:
    with alone(path) as ours:
        if not ours:
            return
        found, broken = journal.read(path)
        if broken:
            _log.warning("%s: %d lines are not whole, a crash cut them", path.name, broken)
        parts.write(root, path.stem, found)
        path.unlink()


def _joining(root: Path, today: date) -> Iterator[_Step]:
    for day in parts.days(root):
        if day < today - timedelta(days=1):
            yield day.isoformat(), partial(parts.join, parts.day_folder(root, day))


def _every(kinds: Iterable[Iterable[_Step]]) -> None:
    """Do every step of every kind; the first trouble is raised at the end."""
    troubles: list[Exception] = []
    for kind in kinds:
        with _said("what waits", troubles):  # a folder that cannot be listed ends its kind alone
            for what, step in kind:
                with _said(what, troubles):
                    step()
    if troubles:
        raise troubles[0]


@contextmanager
def _said(what: str, troubles: list[Exception]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised at the end
        told = " ".join(str(error).split()) or type(error).__name__
        _log.warning("decisions wait to be stored: %s: %s", what, told)
        troubles.append(error)
