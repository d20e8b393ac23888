"""Decisions as Parquet, by day: what journals become, and what any other program can read.

    predictions/date=2026-11-25/part-<journal>.parquet      of one journal and one day
    predictions/date=2026-11-24/day-<digest>.parquet        a day that is over, in one file

A part is named for its journal, so that one written twice, since a crash came in between, is there
once. A file of a whole day lists the parts that it holds; one of those that is still there is not
read again.
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
from patchae.predictions.record import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

_HOLDS = b"patchae.parts"
_PART, _DAY = "part-", "day-"


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
    return root / f"date={day.isoformat()}"


def days(root: Path) -> list[date]:
    """The days of which there are decisions in parts, oldest first."""
    return sorted(
        date.fromisoformat(folder.name.removeprefix("date=")) for folder in root.glob("date=*")
    )


def write(root: Path, journal: str, found: Sequence[Prediction]) -> list[Path]:
    """Write the decisions of a journal, those of each day into a part of their own."""
    import pyarrow as pa
    from pyarrow import parquet

    by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for one in found:
        by_day[one.time.date()].append(asdict(one))
    written = []
    for day, rows in sorted(by_day.items()):
        file = day_folder(root, day) / f"{_PART}{journal}.parquet"
        with file_in_one_step(file) as draft:
            parquet.write_table(pa.Table.from_pylist(rows, schema()), draft)
        written.append(file)
    return written


def has(root: Path, journal: str, day: date) -> bool:
    """Whether a journal's decisions of a day are in a part, or in the file of the day."""
    name = f"{_PART}{journal}"
    folder = day_folder(root, day)
    if (folder / f"{name}.parquet").exists():
        return True
    return any(name in held(file) for file in folder.glob(f"{_DAY}*.parquet"))


def held(file: Path) -> frozenset[str]:
    """Of the file of a day, the names of the parts that it holds.

    Raises:
        DataError: it cannot be read.
    """
    from pyarrow import parquet

    with _readable(file):
        told = parquet.read_schema(file).metadata or {}
    return frozenset(told.get(_HOLDS, b"").decode().split())


def files_of(folder: Path) -> list[Path]:
    """What is to be read of a day: nothing that is held by another file."""
    whole = sorted(folder.glob(f"{_DAY}*.parquet"))
    within: frozenset[str] = frozenset().union(*(held(file) for file in whole))
    parts = [one for one in sorted(folder.glob(f"{_PART}*.parquet")) if one.stem not in within]
    return [*(one for one in whole if one.stem not in within), *parts]


def read(file: Path, filters: Any = None) -> pa.Table:
    """The rows of a file that fit.

    Raises:
        DataError: it cannot be read.
    """
    from pyarrow import parquet

    with _readable(file):
        # By itself: `date=` above it is a folder, and no column.
        return (
            parquet.ParquetFile(file).read().filter(filters)
            if filters is not None
            else (parquet.ParquetFile(file).read())
        )


def join(folder: Path) -> Path | None:
    """Make one file of a day that is over; None where there is nothing to join."""
    import pyarrow as pa
    from pyarrow import parquet

    files = files_of(folder)
    if len(files) < 2:
        return None
    names = sorted({one.stem for one in files}.union(*(held(file) for file in files)))
    target = folder / f"{_DAY}{sha256_bytes(' '.join(names).encode())[:16]}.parquet"
    rows = pa.concat_tables([read(file) for file in files]).sort_by("time")
    rows = rows.replace_schema_metadata({_HOLDS: " ".join(names).encode()})
    with file_in_one_step(target) as draft:
        parquet.write_table(rows, draft)
    remove(file for file in folder.glob("*.parquet") if file.stem in set(names))
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

        if isinstance(error, pa.ArrowInvalid | OSError):
            raise DataError(
                f"decisions cannot be read: {str(error).splitlines()[0]}",
                where=str(self._file),
                mend="move the file away; every other one is read",
            ) from None
