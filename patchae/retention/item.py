"""What may go and what stays, as values."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from patchae.config import Retention
from patchae.files import stats_below

Kind = Literal["weights", "run", "work", "cache", "recent", "drift"]

Remove = Callable[[], int]


@dataclass(frozen=True)
class Item:
    """One thing that the policy lets go, and how that is done."""

    kind: Kind
    what: str
    """A version, a run, or a path in the state folder."""
    bytes: int
    why: str
    remove: Remove = field(repr=False, compare=False)
    """Removes it; what an earlier call has begun is finished. Returns how many bytes went.

    Raises:
        Stays: it is needed after all.
    """


@dataclass(frozen=True)
class Kept:
    """So many things of one kind that stay for one reason."""

    kind: Kind
    why: str
    count: int


class Found:
    """Collects what one search finds."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.items: list[Item] = []
        self._kept: Counter[str] = Counter()

    def go(self, what: str, size: int, why: str, remove: Remove) -> None:
        """Something that may go."""
        self.items.append(Item(self.kind, what, size, why, remove))

    def stay(self, why: str, count: int = 1) -> None:
        """Something that stays."""
        self._kept[why] += count

    @property
    def kept(self) -> Iterator[Kept]:
        """What stays, by reason."""
        for why, count in sorted(self._kept.items()):
            yield Kept(self.kind, why, count)


@dataclass(frozen=True)
class Asked:
    """What a tidying is asked for."""

    policy: Retention
    now: datetime
    actor: str
    line: str | None = None
    """Only what belongs to this line; None: everything."""

    def concerns(self, model: str) -> bool:
        """Whether a model is meant."""
        return self.line is None or model.partition(".")[0] == self.line

    def age(self, since: datetime) -> float:
        """Days since a moment."""
        return (self.now - since).total_seconds() / 86_400


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder, or of a file; 0 when it is gone."""
    return sum(found.st_size for found in _stats(folder))


def newest_change(folder: Path) -> float:
    """When anything in a folder was last written, in seconds since 1970; 0 when it is gone."""
    changes = [found.st_mtime for found in _stats(folder)]
    with suppress(FileNotFoundError):
        changes.append(folder.stat().st_mtime)
    return max(changes, default=0.0)


def folders(parent: Path) -> list[Path]:
    """The folders in a folder by name, those that are hidden too; none when it is gone."""
    return sorted(one for one in parent.iterdir() if one.is_dir()) if parent.is_dir() else []


def _stats(place: Path) -> Iterable[os.stat_result]:
    """Of the files in a folder, or of a file; a training may be at work there."""
    if not place.is_file():
        return stats_below(place)
    with suppress(FileNotFoundError):
        return (place.stat(),)
    return ()
