"""Moving a threshold: recorded first, shown second, confirmed third, and never without a reason."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchae.errors import DataError, NegativeFinding, UsageError
from patchae.model.threshold import conformal_threshold, false_alarm_interval
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import retire
from patchae.registry.standing import threshold_in_force, threshold_moved, thresholds
from patchae.registry.threshold import (
    THRESHOLD_TAG,
    check_rate,
    expected_tags,
    false_alarms_above,
    finish,
    move_threshold,
    promised_by,
    put_back,
    unfinished,
)
from tests.support.registry.memory import MODEL, MemoryAliases

TRAINED = 0.5


class Death(BaseException):
    """The process ends here: nothing after it is done, nothing before it is taken back."""


class Mortal(MemoryAliases):
    """Dies before or after it sets a tag."""

    def __init__(self) -> None:
        super().__init__()
        self.dies: str = ""

    def tag(self, model: str, version: str, name: str, value: str | None) -> None:
        if self.dies == "before":
            raise Death
        super().tag(model, version, name, value)
        if self.dies == "after":
            raise Death


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger in which two versions are registered."""
    made = Ledger(tmp_path / "ledger.db")
    for version in "12":
        body = {"version": version, "run_id": "r", "training_key": "k", "lineage_sha256": "l"}
        made.append("registered", MODEL, body, "tester")
    return made


def move(ledger: Ledger, aliases: MemoryAliases, to: float, **changes: Any) -> Entry:
    current = threshold_in_force(ledger.entries(MODEL), "1")
    values: dict[str, Any] = {
        "to": to,
        "before": TRAINED if current is None else current,
        "trained": TRAINED,
        "why": "set",
        "rate": None,
        "actor": "ann",
        "reason": "fewer looks",
    }
    return move_threshold(ledger, aliases, MODEL, "1", **{**values, **changes})


def tag(aliases: MemoryAliases, version: str = "1") -> str | None:
    return aliases.tags.get((MODEL, version), {}).get(THRESHOLD_TAG)


def test_a_move_is_a_row_a_tag_and_a_confirmation(ledger: Ledger) -> None:
    aliases = MemoryAliases()
    row = move(ledger, aliases, 0.7)
    assert row.body == {
        "version": "1",
        "from": 0.5,
        "to": 0.7,
        "why": "set",
        "rate": None,
        "reason": "fewer looks",
    }
    entries = ledger.entries(MODEL)
    assert [entry.kind for entry in entries[-2:]] == ["threshold", "confirmed"]
    assert threshold_in_force(entries, "1") == 0.7
    assert threshold_in_force(entries, "2") is None, "it belongs to the version"
    assert tag(aliases) == "0.7"
    assert expected_tags(entries, "1") == {"0.7"}
    assert ledger.verify() == []


def test_a_reset_returns_to_what_training_set(ledger: Ledger) -> None:
    aliases = MemoryAliases()
    move(ledger, aliases, 0.7)
    move(ledger, aliases, TRAINED, why="reset")
    entries = ledger.entries(MODEL)
    assert (threshold_in_force(entries, "1"), threshold_moved(entries, "1")) == (TRAINED, None)
    assert tag(aliases) == "0.5"


@pytest.mark.parametrize(
    ("to", "changes", "words"),
    [
        (0.7, {"reason": " "}, "needs a reason"),
        (math.nan, {}, "no threshold"),
        (math.inf, {}, "no threshold"),
        (-0.1, {}, "no threshold"),
        (0.5, {}, r"is 0\.5 already"),
    ],
)
def test_what_makes_no_sense_is_refused_and_writes_nothing(
    ledger: Ledger, to: float, changes: dict[str, Any], words: str
) -> None:
    aliases, before = MemoryAliases(), ledger.entries()
    with pytest.raises(UsageError, match=words):
        move(ledger, aliases, to, **changes)
    assert (ledger.entries(), aliases.calls) == (before, 0)


def test_versions_that_nobody_can_use_are_refused(ledger: Ledger) -> None:
    aliases = MemoryAliases()
    with pytest.raises(UsageError, match="knows no version 9"):
        move_threshold(
            ledger,
            aliases,
            MODEL,
            "9",
            to=1,
            before=0.5,
            trained=0.5,
            why="set",
            rate=None,
            actor="ann",
            reason="r",
        )
    retire(ledger, MODEL, "1", actor="ann", reason="old lamp")
    with pytest.raises(UsageError, match="is retired"):
        move(ledger, aliases, 0.7)
    assert thresholds(ledger.entries(MODEL)) == []


def test_of_two_who_move_it_at_once_the_second_is_told(ledger: Ledger) -> None:
    aliases = MemoryAliases()
    move(ledger, aliases, 0.7)
    with pytest.raises(NegativeFinding, match=r"was moved meanwhile, to 0\.7"):
        move(ledger, aliases, 0.8, before=TRAINED)
    assert threshold_in_force(ledger.entries(MODEL), "1") == 0.7


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_move_that_died_is_in_force_and_the_next_command_finishes_it(
    ledger: Ledger, dies: str
) -> None:
    aliases = Mortal()
    move(ledger, aliases, 0.6)
    aliases.dies = dies
    with pytest.raises(Death):
        move(ledger, aliases, 0.7)
    entries = ledger.entries(MODEL)
    assert threshold_in_force(entries, "1") == 0.7
    assert len(unfinished(entries)) == 1
    assert tag(aliases) in expected_tags(entries, "1") == {"0.6", "0.7"}, "an audit passes it"
    aliases.dies = ""
    assert finish(ledger, aliases, MODEL, actor="bob")
    assert tag(aliases) == "0.7"
    assert expected_tags(ledger.entries(MODEL), "1") == {"0.7"}
    assert not finish(ledger, aliases, MODEL, actor="bob"), "once"


def test_a_tag_that_somebody_changed_is_put_back(ledger: Ledger) -> None:
    aliases = MemoryAliases()
    move(ledger, aliases, 0.7)
    aliases.tag(MODEL, "1", THRESHOLD_TAG, "0.1")
    aliases.tag(MODEL, "2", THRESHOLD_TAG, "0.1")
    shown = {version: tag(aliases, version) for version in "12"}
    wrong = put_back(ledger, aliases, MODEL, shown, actor="ann", reason="by hand")
    assert wrong == ["1", "2"]
    assert (tag(aliases), tag(aliases, "2")) == ("0.7", None)
    before = ledger.entries()
    shown = {version: tag(aliases, version) for version in "12"}
    assert put_back(ledger, aliases, MODEL, shown, actor="ann", reason="again") == []
    assert ledger.entries() == before


@given(st.lists(st.floats(0, 9), min_size=1, max_size=200), st.floats(0.001, 0.9))
def test_a_promise_comes_from_calibration_or_is_refused(scores: list[float], rate: float) -> None:
    facts = {"calibration_scores": sorted(scores)}
    if (len(scores) + 1) * rate < 1:
        with pytest.raises(UsageError, match=f"{len(scores)} calibration images cannot promise"):
            promised_by(facts, rate, "m/1")
    else:
        assert promised_by(facts, rate, "m/1") == conformal_threshold(scores, rate)


def test_a_promise_without_calibration_scores_is_refused() -> None:
    with pytest.raises(DataError, match="not to be had"):
        promised_by({}, 0.1, "m/1")
    for rate in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(UsageError, match="is impossible"):
            check_rate(rate)


@given(st.integers(1, 200), st.floats(0.001, 0.9))
def test_any_threshold_has_the_interval_that_training_gives_its_own(
    count: int, rate: float
) -> None:
    scores = [float(number) for number in range(count)]
    threshold = conformal_threshold(scores, rate)
    assert false_alarms_above(threshold, scores, 0.95) == pytest.approx(
        false_alarm_interval(count, rate), abs=1e-9
    )
    assert false_alarms_above(-1.0, scores, 0.95) == [0.0, 1.0]
