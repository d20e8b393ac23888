"""Who is champion follows from the moves alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.registry.chain import Entry, Kind, Row, follow
from patchae.registry.ledger import Ledger
from patchae.registry.standing import champion_of, last_verdict, open_promotion
from tests.support.registry.memory import MODEL, judged, move


def champion_after(*steps: str) -> tuple[str | None, str | None]:
    """Replay moves: "3" promotes 3, "<2" rolls back to 2, "-1" retires 1."""
    rows: list[Row] = []
    for step in steps:
        kind: Kind = "retired" if step.startswith("-") else "move"
        why = "rolled_back" if step.startswith("<") else "promoted"
        version = step.lstrip("<-")
        body = move(version, why=why) if kind == "move" else {"version": version, "reason": "r"}
        entry = follow(
            rows[-1] if rows else None,
            time="2026-05-01T12:00:00Z",
            kind=kind,
            model="m",
            actor="a",
            body=body,
        )
        rows.append(entry.row())
    champion = champion_of([Entry.of(row) for row in rows])
    return champion.current, champion.previous


def test_the_champion_is_what_the_moves_say() -> None:
    assert champion_after() == (None, None)
    assert champion_after("1") == ("1", None)
    assert champion_after("1", "2", "3") == ("3", "2")
    assert champion_after("1", "2", "3", "<2") == ("2", "1")
    assert champion_after("1", "2", "3", "<2", "<1") == ("1", None)
    assert champion_after("1", "2", "3", "<1") == ("1", None)
    assert champion_after("1", "2", "3", "<2", "<3") == ("3", "2")
    assert champion_after("1", "2", "<1", "4") == ("4", "1")
    assert champion_after("1", "2", "3", "-1", "<2") == ("2", None)


def test_no_version_is_the_one_before_itself_once_what_lay_between_is_retired() -> None:
    assert champion_after("1", "2", "1", "3", "-2") == ("3", "1")
    assert champion_after("1", "2", "1", "3", "-2", "<1") == ("1", None)
    assert champion_after("4", "1", "2", "1", "3", "-2", "<1") == ("1", "4")


@settings(deadline=None)
@given(st.lists(st.sampled_from("1234"), min_size=2, max_size=8, unique=True))
def test_rollbacks_undo_promotions_one_by_one(versions: list[str]) -> None:
    steps = list(versions)
    for back in reversed(versions[:-1]):
        steps.append(f"<{back}")
        current, previous = champion_after(*steps)
        assert current == back
        assert previous == (versions[versions.index(back) - 1] if back != versions[0] else None)


def test_a_promotion_is_open_until_its_move_is_written(ledger: Ledger) -> None:
    verdict = judged(ledger, "1")
    assert open_promotion(ledger.entries(MODEL), "1") == verdict
    assert open_promotion(ledger.entries(MODEL), "2") is None
    ledger.append("move", MODEL, move("1", verdict=verdict.seq), "ann")
    assert open_promotion(ledger.entries(MODEL), "1") is None
    assert last_verdict(ledger.entries(MODEL)) == verdict


def test_a_champion_waits_for_no_promotion_though_a_second_run_judged_it(ledger: Ledger) -> None:
    verdict = judged(ledger, "1")
    ledger.append("move", MODEL, move("1", verdict=verdict.seq), "ann")
    judged(ledger, "1")
    assert open_promotion(ledger.entries(MODEL), "1") is None


@pytest.mark.parametrize("kind", ["retired", "tidied"])
def test_a_version_that_no_move_may_lead_to_waits_for_none(ledger: Ledger, kind: Kind) -> None:
    judged(ledger, "1")
    other = judged(ledger, "2")
    more = {"reason": "r"} if kind == "retired" else {"files": {}, "policy": {}}
    ledger.append(kind, MODEL, {"version": "1", **more}, "ann")
    assert open_promotion(ledger.entries(MODEL), "1") is None
    judged(ledger, "1")
    assert open_promotion(ledger.entries(MODEL), "1") is None
    assert open_promotion(ledger.entries(MODEL), "2") == other


def test_only_the_newest_verdict_on_a_version_can_be_open(ledger: Ledger) -> None:
    judged(ledger, "1")
    newest = judged(ledger, "1", auroc=0.2)
    other = judged(ledger, "2")
    entries = ledger.entries(MODEL)
    assert open_promotion(entries, "1") is None
    assert last_verdict(entries, "1") == newest
    assert last_verdict(entries) == other
    assert last_verdict(entries, "3") is None
