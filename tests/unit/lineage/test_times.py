"""Dates that contradict each other, and clocks that may differ a little."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from patchae.lineage.audit import audit
from patchae.lineage.times import SKEW
from patchae.registry.chain import Entry
from patchae.registry.standing import champion_of, until
from tests.support.lineage.answers import broken, detail
from tests.support.lineage.built import Built
from tests.support.lineage.forging import Rows, as_insider, chained
from tests.support.registry.memory import MODEL


@pytest.mark.parametrize(("beyond", "links"), [(False, set()), (True, {"times"})])
def test_clocks_of_two_machines_may_differ_by_minutes(
    proven: Built, beyond: bool, links: set[str]
) -> None:
    late = datetime(2026, 5, 1, 10, tzinfo=UTC) + SKEW + timedelta(seconds=beyond * 13)
    proven.made = late.isoformat()
    assert set(broken(audit(proven.material()))) == links


def test_the_clock_of_one_machine_may_not(proven: Built) -> None:
    rows, _ = proven.ledger.signed_rows()
    later = "2026-05-01T10:02:30Z"  # half a minute after it was registered there
    as_insider(
        proven,
        record=lambda record: record["run"].update(host=rows[5].host, started=later),
    )
    found = broken(audit(proven.material()))
    assert set(found) == {"times"}
    assert found["times"].startswith("the training began at 2026-05-01T10:02:30+00:00, after")


@pytest.mark.parametrize(("since", "links"), [(4, set()), (5, {"times"})])
def test_a_time_that_a_row_took_over_is_of_another_clock(
    proven: Built, since: int, links: set[str]
) -> None:
    ahead = "2026-05-01T10:03:00Z"  # by somebody whose clock is minutes ahead

    def rows(found: Rows) -> Rows:
        return [
            replace(row, time=max(row.time, ahead) if row.seq >= since else row.time)
            for row in found
        ]

    newest = chained(rows(proven.ledger.signed_rows()[0]))[4]
    followed = {"seq": newest.seq, "digest": newest.digest}
    as_insider(proven, record=lambda record: record.update(ledger=followed), rows=rows)
    assert set(broken(audit(proven.material()))) == links


def test_a_version_that_came_back_was_made_when_it_was_made_first(proven: Built) -> None:
    proven.made = None
    assert broken(audit(proven.material())) == {}
    entries = judged_on(proven, proven.data_version)
    assert set(broken(audit(proven.material(entries=entries)))) == {"times"}
    proven.made = "2026-05-01T09:00:00+00:00"
    assert broken(audit(proven.material(entries=entries))) == {}


@pytest.mark.parametrize("version", ["0" * 32 + ".dir", None], ids=["later", "not told"])
def test_a_verdict_on_another_data_version_says_nothing_of_when_this_one_was_made(
    proven: Built, version: str | None
) -> None:
    proven.made = None
    assert broken(audit(proven.material(entries=judged_on(proven, version)))) == {}


def judged_on(built: Built, version: str | None) -> list[Entry]:
    """The ledger as if the verdicts were on a data version that was made after the training."""
    entries = []
    for row in built.ledger.entries():
        body = row.body
        if row.kind == "verdict" and row.model == MODEL:
            late = {**body["evidence"], "data_recorded": "2026-05-01T12:00:00+00:00"}
            body = {**body, "evidence": late, "data_version": version}
            if version is None:  # as rows of before
                del body["data_version"]
        entries.append(replace(row, body=body))
    return entries


def test_what_stood_there_at_a_moment(proven: Built) -> None:
    entries = [row for row in proven.ledger.entries() if row.model == "sample.bolt"]
    moved = next(row for row in entries if row.kind == "move")
    then = datetime.fromisoformat(moved.time)
    assert champion_of(until(entries, then)).current == "1"
    assert champion_of(until(entries, then - timedelta(microseconds=1))).current is None
    assert until(entries, None) == entries


def test_an_audit_of_an_earlier_moment(proven: Built) -> None:
    promoted = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
    found = audit(proven.material(at=promoted))
    assert broken(found) == {}
    assert detail(found, "champion") == (
        "champion at 2026-05-01T10:30:00+00:00 was version 2;"
        " now champion is version 2; previous is version 1"
    )
    earlier = audit(proven.material(at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC)))
    assert broken(earlier) == {
        "champion": "champion: asked for as version 2, but the ledger says version 1"
    }
