"""Who may answer while a champion changes: the rule by which log and ledger are compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bench.agreement import disputed, reigns
from patchae.predictions.record import Prediction
from patchae.registry.chain import Entry

START = datetime(2026, 3, 4, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So long after the start."""
    return START + timedelta(seconds=seconds)


def move(seconds: float, to: str) -> Entry:
    """A row of the ledger that names a champion."""
    time = at(seconds).isoformat()
    return Entry(1, time, "move", "a.b", "bench", "host", "", {"to": to}, "", "")


def decision(seconds: float, version: str, latency_s: float = 0.1) -> Prediction:
    """An answer at a moment."""
    origin = "service"
    return Prediction(
        at(seconds), "0" * 64, "", "a.b", version, 1.0, 2.0, False, latency_s * 1e3, origin
    )


MOVES = [move(0, "1"), move(10, "2"), move(20, "1")]


def test_the_old_one_goes_on_until_the_new_one_answers() -> None:
    orderly = [decision(5, "1"), decision(13, "1"), decision(14, "2"), decision(23, "1")]
    assert disputed(orderly, MOVES) == []
    assert [one.followed_s for one in reigns(orderly, MOVES)] == [5, 4, 3]


def test_one_that_was_under_way_when_the_new_one_came_may_end() -> None:
    slow, late = decision(15, "1", latency_s=1.5), decision(15, "1", latency_s=0.5)
    assert disputed([decision(14, "2"), slow], MOVES) == []
    assert disputed([decision(14, "2"), late], MOVES) == [late]


@pytest.mark.parametrize(
    ("seconds", "version"), [(-1, "1"), (5, "2"), (5, "3"), (15, "3")], ids=str
)
def test_nobody_else_may(seconds: float, version: str) -> None:
    wrong = decision(seconds, version)
    assert disputed([decision(3, "1"), wrong], MOVES) == [wrong]


def test_one_that_never_answered_hides_nobody() -> None:
    """A champion that is not served: the one before goes on through its whole reign."""
    assert disputed([decision(5, "1"), decision(19, "1"), decision(25, "1")], MOVES) == []
    assert reigns([decision(5, "1")], MOVES)[1].followed_s is None
