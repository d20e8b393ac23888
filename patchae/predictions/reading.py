"""Ask the log of decisions; what was answered a moment ago is found, too."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.predictions import journal, parts, remote
from patchae.predictions.record import Prediction
from patchae.predictions.stored import Stored
from patchae.project import Project
from patchae.settings import settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_log = logging.getLogger("patchae.predictions")


def predictions(
    project: Project,
    *,
    model: str | None = None,
    version: str | None = None,
    images: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Prediction]:
    """Decisions in the order of their times; those of all models, versions, images and times.

    A file that cannot be read is said and left out.

    Raises:
        StoreUnreachable: they are in S3, which does not answer.
    """
    found = table(
        project.predictions,
        settings().predictions,
        images=images,
        since=since,
        until=until,
        model=model,
        version=version,
    )
    for row in found.to_pylist():
        yield Prediction(**row)


def frame(
    project: Project,
    *,
    model: str | None = None,
    version: str | None = None,
    images: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """The same as a table with the columns of `Prediction`; `time` is in UTC."""
    found = table(
        project.predictions,
        settings().predictions,
        images=images,
        since=since,
        until=until,
        model=model,
        version=version,
    )
    rows: pd.DataFrame = found.to_pandas()
    return rows


def table(
    root: Path,
    address: str,
    *,
    images: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    **equal: str | None,
) -> pa.Table:
    """Decisions of the log in a folder, and of what it sent to an address in S3, if that is one.

    Raises:
        StoreUnreachable: S3 does not answer.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    fits: Any = None
    bounds = [pc.field("time") >= since] if since else []
    bounds += [pc.field("time") < until] if until else []
    if images is not None:  # of no images, too, the type is to be known
        bounds.append(pc.field("image").isin(pa.array([*images], pa.string())))
    for one in [*(pc.field(key) == value for key, value in equal.items() if value), *bounds]:
        fits = one if fits is None else fits & one
    first, last = (_day(moment) for moment in (since, until))
    # Decisions go from a journal to a part here, and from here to S3: read in this order, one that
    # is on its way is read twice, which is told apart, and never missed.
    fresh = dict(_journals(root))
    stored = Stored(fits, first, last)
    stored.read(lambda: root)
    if address:
        cache = remote.cached(root, address)
        stored.read(lambda: remote.fetch(cache, address, first, last))
    tables = [parts.schema().empty_table(), *stored.tables()]
    for name, rows in fresh.items():
        waiting = [one for one in rows if not stored.has(name, one.time.date())]
        held = pa.Table.from_pylist([vars(one) for one in waiting], parts.schema())
        tables.append(held.filter(fits) if fits is not None else held)
    return pa.concat_tables(tables).sort_by("time")


def _journals(root: Path) -> Iterator[tuple[str, list[Prediction]]]:
    for path in journal.journals(root / "journal"):
        try:
            yield path.stem, journal.read(path)[0]
        except FileNotFoundError:  # it became a part just now
            continue
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
        ) as error:  # another version of patchae wrote it
            _log.warning("%s: cannot be read: %s", path, error)


def _day(moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() if moment else None
