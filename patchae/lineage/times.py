"""The link `times`: what happened is dated in the order in which it must have happened.

The ledger does not go back in time, and a record names the newest row that stood there when it was
written: so a clock that was set back, or a date that was made up, contradicts a row beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from patchae.lineage.material import Broken, Facts, NotCheckable, Unreachable, reachable
from patchae.registry.chain import Entry
from patchae.registry.standing import registrations, verdicts
from patchae.types import DataVersion

SLACK = timedelta(seconds=1)
"""By so much a machine may correct its own clock while it runs."""
SKEW = timedelta(minutes=5)
"""By so much the clocks of two machines may differ."""


@dataclass(frozen=True)
class _Event:
    what: str
    time: datetime
    host: str | None = None
    """Whose clock it was; None: not known."""


def times(facts: Facts) -> str:
    """Images, training, record, registration and verdicts follow each other in time."""
    record = facts.record
    rows = registrations(facts.entries, facts.version)
    host = rows[0].host if rows else None
    began = _Event("the training began", _utc(record.run.started), record.run.host)
    written = _Event("lineage.json was written", _utc(record.run.finished), host)
    _require(began, written)
    if not rows:
        raise NotCheckable(f"the ledger has no row on the registration of {facts.version}")
    registered = _row(rows[0], "registered it")
    _require(written, registered)
    if record.ledger is not None:
        entries = {row.seq: row for row in reachable(facts.material.entries, "the ledger")}
        newest, before = (entries.get(record.ledger.seq - back) for back in (0, 1))
        if newest is not None:
            _require(_newest(newest, before), written)
    for row in verdicts(facts.entries, facts.version):
        if row.seq < rows[0].seq:
            raise Broken(f"row {row.seq} judged it before row {rows[0].seq} registered it")
    for made in _made(facts):
        _require(made, began)
    _require_run(facts, began, registered)
    return f"trained from {record.run.started}, registered at {rows[0].time}"


def _require(earlier: _Event, later: _Event) -> None:
    known = earlier.host is not None and later.host is not None
    slack = SLACK if known and earlier.host == later.host else SKEW
    if earlier.time - later.time > slack:
        raise Broken(
            f"{earlier.what} at {earlier.time.isoformat()},"
            f" after {later.what} at {later.time.isoformat()}"
        )


def _require_run(facts: Facts, began: _Event, registered: _Event) -> None:
    """The run in MLflow is made after the training, and before its version is registered."""
    run = facts.material.run
    if isinstance(run, Unreachable) or run is None or run.started is None:
        return
    opened = _Event("MLflow's run was started", run.started)
    _require(began, opened)
    _require(opened, registered)
    if run.ended is not None:
        _require(opened, _Event("MLflow's run was ended", run.ended))


def _made(facts: Facts) -> Iterator[_Event]:
    """When the data version was made first, by all that is noted of it; nothing if nothing is.

    Another machine may have noted it later than the one that trained, and a version may come back:
    only the earliest note must lie before the training. A verdict may be on a later data version,
    in which the images of this class are the same; and older rows do not say on which they are.
    """
    version = DataVersion(facts.record.data.version)
    noted = [
        row.body["evidence"]["data_recorded"]
        for row in verdicts(facts.entries, facts.version)
        if row.body.get("data_version") == version
    ]
    if not isinstance(facts.material.made, Unreachable):
        noted.append(facts.material.made(version))
    known = [_utc(time) for time in noted if time is not None]
    if known:
        yield _Event(f"data version {version} was made", min(known))


def _newest(row: Entry, before: Entry | None) -> _Event:
    """The row that a record follows. A row never has an earlier time than the one before it: where
    both are equal, the time is that of the other's clock."""
    event = _row(row, "was the newest")
    taken_over = before is not None and before.time == row.time
    return replace(event, host=None) if taken_over else event


def _row(row: Entry, did: str) -> _Event:
    return _Event(f"row {row.seq} {did}", _utc(row.time), row.host)


def _utc(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
