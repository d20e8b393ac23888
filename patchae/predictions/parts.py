"""Decisions as Parquet, by day: what journals become, and what any other program can read.

    predictions/date=2026-11-25/part-<journal>.parquet      of one journal and one day
    predictions/date=2026-11-24/day-<digest>.parquet        a day that is over, in one file

A part is named for its journal, so that one written twice, since a crash came in between, is there
once. A file of a whole day lists the parts that it holds; one of those that is still there is not
read again (`patchae.predictions.stored`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.errors import DataError
from patchae.files import file_in_one_step, sha256_bytes
from patchae.predictions.alone import alone_in
from patchae.predictions.record import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

_HOLDS = b"patchae.parts"
_OF, _PART, _DAY = "date=", "part-", "day-"


def schema() -> pa.Schema:
    """The columns, as `Prediction` has them."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            ("time", pa.timestamp("us", tz="UTC")),
            ("image", text),
            ("name", text),
            ("model", text),
            ("version", text),
            ("score", pa.float64()),
            ("threshold", pa.float64()),
            ("anomalous", pa.bool_()),
            ("latency_ms", pa.float64()),
            ("origin", text),
        ]
    )


def day_folder(root: Path, day: date) -> Path:
    """The folder of one day (UTC)."""
    return root / f"{_OF}{day.isoformat()}"


def day_of(name: str) -> date | None:
    """The day whose decisions lie under a name; None: of none, such as a copy that somebody made.

    Law: `day_of(day_folder(root, day).name) == day`, and no other name has a day.
    """
    try:
        day = date.fromisoformat(name.removeprefix(_OF))
    except ValueError:
        return None
    return day if name == f"{_OF}{day.isoformat()}" else None


def days(root: Path) -> list[date]:
    """The days of which there are decisions in parts, oldest first."""
    found = (day_of(folder.name) for folder in root.glob(f"{_OF}*"))
    return sorted(day for day in found if day)


def write(root: Path, journal: str, found: Sequence[Prediction]) -> list[Path]:
    """Write the decisions of a journal, those of each day into a part of their own."""
    import pyarrow as pa
    from pyarrow import parquet

    by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for one in found:
        by_day[one.time.date()].append(asdict(one))
    written = []
    for day, rows in sorted(by_day.items()):
        file = day_folder(root, day) / f"{name_of(journal)}.parquet"
        with file_in_one_step(file) as draft:
            parquet.write_table(pa.Table.from_pylist(rows, schema()), draft)
        written.append(file)
    return written


def name_of(journal: str) -> str:
    """What the parts of a journal are called, without the suffix."""
    return f"{_PART}{journal}"


def names(file: Path) -> frozenset[str]:
    """The names of the parts whose decisions a file has: its own, or those that it holds.

    Raises:
        DataError: it cannot be read.
        FileNotFoundError: it is gone.
    """
    from pyarrow import parquet

    own = frozenset({file.stem})
    if not file.stem.startswith(_DAY):
        return own
    with _readable(file):
        told = parquet.read_schema(file).metadata or {}
    return frozenset(told.get(_HOLDS, b"").decode().split()) or own


def files_of(folder: Path) -> list[Path]:
    """The files of a day, those first that hold others."""
    found = sorted(folder.glob("*.parquet"))
    # A folder that changes meanwhile may show neither what went nor what took its place.
    while (again := sorted(folder.glob("*.parquet"))) != found:
        found = again
    return [one for kind in (_DAY, _PART) for one in found if one.name.startswith(kind)]


def read(file: Path, filters: Any = None) -> pa.Table:
    """The rows of a file that fit, in the columns of `schema`.

    Raises:
        DataError: it cannot be read, or has other columns: another program wrote it.
        FileNotFoundError: it is gone.
    """
    from pyarrow import parquet

    with _readable(file):
        # By itself: `date=` above it is a folder, and no column.
        found = parquet.ParquetFile(file).read().select(schema().names).cast(schema())
        return found if filters is None else found.filter(filters)


def join(folder: Path) -> Path | None:
    """Make one file of a day that is over; None where there is nothing to join.

    Two at a time could each hold a part that the other one holds, too; who comes second leaves it
    to the first.

    Raises:
        DataError: a file cannot be read; nothing is changed.
    """
    with alone_in(folder.parent) as ours:
        return _joined(folder) if ours else None


def _joined(folder: Path) -> Path | None:
    import pyarrow as pa
    from pyarrow import parquet

    every = {file: names(file) for file in files_of(folder)}
    files: list[Path] = []
    within: frozenset[str] = frozenset()
    for file in sorted(every, key=lambda one: -len(every[one])):
        if not every[file] <= within:  # else a crash left it
            files.append(file)
            within |= every[file]
    if len(files) < 2:
        remove(one for one in every if one not in files)
        return None
    holds = " ".join(sorted(within)).encode()
    target = folder / f"{_DAY}{sha256_bytes(holds)[:16]}.parquet"
    rows = pa.concat_tables([read(file) for file in files]).sort_by("time")
    with file_in_one_step(target) as draft:
        parquet.write_table(rows.replace_schema_metadata({_HOLDS: holds}), draft)
    remove(one for one in every if one != target)
    return target


def remove(files: Iterable[Path]) -> None:
    """Remove files that may be gone already."""
    for file in files:
        file.unlink(missing_ok=True)


class _readable:  # noqa: N801 - reads as a word at its place
    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        import pyarrow as pa

        if isinstance(error, FileNotFoundError):
            return
        if isinstance(error, pa.ArrowException | KeyError | OSError):  # a KeyError names a column
            told = str(error).strip("\"'").partition("\n")[0]
            raise DataError(
                f"decisions cannot be read: {told}",
                where=str(self._file),
                mend="move the file away; every other one is read",
            ) from None
