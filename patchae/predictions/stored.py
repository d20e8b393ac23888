"""Read files of decisions while others store, join and send them: each decision once, and all.

A file may go between the moment in which it is listed and the one in which it is read: it was
joined with others of its day, or sent to S3. What holds its decisions now is looked for again. And
a file may hold decisions that were read from another one before: by the names of the parts that it
holds, it is known for that.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.errors import DataError
from patchae.predictions import parts

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger("patchae.predictions")
_Names = frozenset[str]


class Stored:
    """What files hold of some days, as far as it fits."""

    def __init__(self, fits: Any, first: date | None, last: date | None) -> None:
        self._fits, self._first, self._last = fits, first, last
        self._tables: dict[date, dict[_Names, pa.Table]] = defaultdict(dict)

    def read(self, source: Callable[[], Path]) -> None:
        """Read what a folder holds and was not read before.

        Args:
            source: gives the folder; called again whenever a file that was listed is gone.
        """
        lost: set[Path] = set()
        while True:
            gone = {file for day, file in self._listed(source()) if not self._take(day, file)}
            if gone <= lost:
                break
            lost |= gone
        for file in sorted(gone):  # such as a link to nowhere
            _log.warning("%s: is listed, and cannot be found", file)

    def has(self, journal: str, day: date) -> bool:
        """Whether what a journal held of a day was read."""
        return any(parts.name_of(journal) in names for names in self._tables[day])

    def tables(self) -> Iterator[pa.Table]:
        """All that was read."""
        for of_day in self._tables.values():
            yield from of_day.values()

    def _listed(self, root: Path) -> Iterator[tuple[date, Path]]:
        for day in parts.days(root):
            if (self._first and day < self._first) or (self._last and day > self._last):
                continue
            for file in parts.files_of(parts.day_folder(root, day)):
                yield day, file

    def _take(self, day: date, file: Path) -> bool:
        """Read a file, unless all that it holds was read; False where it is gone."""
        tables = self._tables[day]
        try:
            names = parts.names(file)
            if names <= _Names().union(*tables):
                return True
            rows = parts.read(file, self._fits)
        except FileNotFoundError:
            return False
        except DataError as error:
            _log.warning("%s", error)
            return True
        for within in [one for one in tables if one <= names]:
            del tables[within]
        tables[names] = rows
        return True
