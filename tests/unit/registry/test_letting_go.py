"""Weights that may go: never those of a version that was, is or may become champion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.config import Retention
from patchae.errors import PatchaeError, UsageError
from patchae.registry.ledger import Ledger
from patchae.registry.letting_go import WHY, Stays, let_weights_go, newest, why_kept
from patchae.registry.promotion import adopt, override, promote, retire, rollback
from patchae.registry.standing import (
    champion_of,
    former_champions,
    last_verdict,
    let_go,
    moves,
    open_promotion,
    retired,
    to_train_again,
)
from tests.support import examples
from tests.support.registry.memory import MODEL, MemoryAliases, judged

POLICY = Retention(keep_last=1, unpromoted_models_days=90)
FILES = {"artifacts/model/model.safetensors": {"sha256": "c" * 64, "bytes": 16_000_000}}


class Life:
    """A model whose ledger has a clock that can be put forward."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.ledger = Ledger(folder / "ledger.db", clock=self._clock)
        self.aliases = MemoryAliases()
        self.versions = 0

    def _clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @property
    def entries(self) -> list[Any]:
        return self.ledger.entries(MODEL)

    def register(self) -> str:
        self.versions += 1
        body = {"run_id": "r", "training_key": "k", "lineage_sha256": "l"}
        version = str(self.versions)
        self.ledger.append("registered", MODEL, {**body, "version": version}, "ann")
        return version

    def promote(self, version: str) -> None:
        verdict = last_verdict(self.entries, version)
        assert verdict is not None
        promote(self.ledger, self.aliases, MODEL, version, verdict=verdict, actor="ann")

    def champion(self) -> str:
        """One more version, in use."""
        version = self.register()
        judged(self.ledger, version)
        self.promote(version)
        return version

    def rejected(self) -> str:
        """One more version, which the gate did not let pass."""
        version = self.register()
        assert judged(self.ledger, version, 0.3).body["outcome"] == "reject"
        return version

    def why(self, version: str, policy: Retention = POLICY) -> str | None:
        return why_kept(
            self.entries,
            version,
            policy=policy,
            now=self.now,
            aliases=self.aliases.get(MODEL),
        )

    def tidy(self, policy: Retention = POLICY) -> list[str]:
        """Let go of all that may; the versions."""
        gone = []
        for number in range(1, self.versions + 1):
            version = str(number)
            if version not in let_go(self.entries) and self.why(version, policy) is None:
                self.let_go(version, policy)
                gone.append(version)
        return gone

    def let_go(self, version: str, policy: Retention = POLICY) -> Any:
        return let_weights_go(
            self.ledger,
            self.aliases,
            MODEL,
            version,
            FILES,
            policy=policy,
            now=self.now,
            actor="ann",
        )


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def test_a_rejected_version_goes_when_it_is_old_and_others_came_after_it(life: Life) -> None:
    first, rejected = life.champion(), life.rejected()
    assert life.why(rejected) == "newest"
    life.champion()
    assert life.why(rejected) == "recent"
    life.now += timedelta(days=89)
    assert life.why(rejected) == "recent"
    life.now += timedelta(days=2)
    assert life.tidy() == [rejected]
    row = life.ledger.head()
    assert row is not None
    assert (row.kind, row.body["version"], row.body["files"]) == ("tidied", rejected, FILES)
    assert row.body["policy"] == POLICY.model_dump(mode="json")
    assert life.tidy() == []
    assert life.why(first) == "was_champion"


def test_what_keeps_a_version(life: Life) -> None:
    waits = life.register()
    judged(life.ledger, waits)
    unjudged, pointed = life.register(), life.rejected()
    life.aliases.set(MODEL, "staging", pointed)
    life.rejected()
    life.now += timedelta(days=1000)
    assert life.why("99") == "not_in_ledger"
    assert [life.why(one) for one in (waits, unjudged, pointed)] == [
        "waits",
        "not_judged",
        "alias",
    ]
    life.champion()  # the verdict compared with no champion, and is of no use any more
    assert life.why(waits) is None
    keeps = Retention(unpromoted_models_days=None, keep_last=1)
    assert life.why(waits, keeps) == "recent"
    with pytest.raises(Stays, match="alias"):
        life.let_go(pointed)
    assert set(WHY) >= {life.why(str(one)) for one in range(1, life.versions + 1)} - {None}


def test_it_is_recorded_once(life: Life) -> None:
    rejected = life.rejected()
    life.champion()
    life.now += timedelta(days=100)
    assert life.let_go(rejected) == life.let_go(rejected)
    assert len(let_go(life.entries)) == 1
    assert life.ledger.verify() == []


def test_a_version_that_let_go_never_becomes_champion(life: Life) -> None:
    held = life.register()
    assert judged(life.ledger, held, n_good=2).body["outcome"] == "hold"
    life.champion()
    life.now += timedelta(days=100)
    life.let_go(held)
    verdict = judged(life.ledger, held)  # gates were changed, and it is judged again
    moved = len(moves(life.entries))
    with pytest.raises(UsageError, match="let go by the retention policy"):
        promote(life.ledger, life.aliases, MODEL, held, verdict=verdict, actor="ann")
    assert judged(life.ledger, held, n_good=2).body["outcome"] == "hold"
    with pytest.raises(UsageError, match="let go by the retention policy"):
        override(life.ledger, life.aliases, MODEL, held, actor="ann", reason="r")
    life.aliases.set(MODEL, "champion", held)
    with pytest.raises(UsageError, match="let go by the retention policy"):
        adopt(life.ledger, life.aliases, MODEL, actor="ann", reason="r")
    assert len(moves(life.entries)) == moved


MOVES = ["promote", "override", "rollback", "back", "retire"]


def test_what_let_go_is_trained_again_unless_a_person_retired_it(life: Life) -> None:
    rejected, unwanted = life.rejected(), life.rejected()
    life.champion()
    life.now += timedelta(days=100)
    retire(life.ledger, MODEL, unwanted, actor="ann", reason="old lamp")
    assert life.tidy() == [rejected, unwanted]
    assert to_train_again(life.entries) == {rejected}


STEPS = st.sampled_from(
    [
        "register",
        "good",
        "bad",
        "thin",
        "promote",
        "override",
        "rollback",
        "back",
        "retire",
        "wait",
        "tidy",
    ]
)


def _act(life: Life, step: str, which: int) -> None:
    """One step; what the rules refuse is refused."""
    version = str(which % life.versions + 1) if life.versions else "1"
    known = bool(life.versions)
    actions: dict[str, Callable[[], object]] = {
        "register": life.register,
        "good": lambda: known and judged(life.ledger, version),
        "bad": lambda: known and judged(life.ledger, version, 0.3),
        "thin": lambda: known and judged(life.ledger, version, n_good=2),
        "promote": lambda: last_verdict(life.entries, version) and life.promote(version),
        "override": lambda: override(
            life.ledger, life.aliases, MODEL, version, actor="a", reason="r"
        ),
        "rollback": lambda: rollback(life.ledger, life.aliases, MODEL, actor="a", reason="r"),
        "back": lambda: rollback(
            life.ledger, life.aliases, MODEL, to=version, actor="a", reason="r"
        ),
        "retire": lambda: retire(life.ledger, MODEL, version, actor="a", reason="r"),
        "wait": lambda: _wait(life, which),
        "tidy": life.tidy,
    }
    try:
        actions[step]()
    except PatchaeError:
        return


def _wait(life: Life, days: int) -> None:
    life.now += timedelta(days=days * 10)


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.tuples(STEPS, st.integers(0, 20)), min_size=8, max_size=30), st.integers(1, 3))
def test_whatever_happened_no_champion_of_any_time_loses_its_weights(
    steps: list[tuple[str, int]], keep_last: int
) -> None:
    with TemporaryDirectory() as folder:
        life = Life(Path(folder))
        for step, which in steps:
            _act(life, step, which)
        life.now += timedelta(days=1000)
        before = {row.seq: row for row in life.entries}
        policy = Retention(keep_last=keep_last)
        life.tidy(policy)
        entries = life.entries
        gone = let_go(entries)
        assert not set(gone) & set(former_champions(entries))
        assert not set(gone) & set(life.aliases.get(MODEL).values())
        assert not {row.body["version"] for row in entries[len(before) :]} & newest(
            entries, keep_last
        )
        assert {row.seq: row for row in entries[: len(before)]} == before
        for version, row in gone.items():
            then = entries[: row.seq - 1]
            verdict = open_promotion(then, version)
            assert verdict is None or verdict.body["champion"] != champion_of(then).current
            # A verdict that came afterwards, from wherever, opens nothing.
            with pytest.raises(PatchaeError):
                life.promote(version)
        assert life.tidy(policy) == []
        for version in former_champions(entries):
            if version != champion_of(life.entries).current and version not in retired(entries):
                rollback(life.ledger, life.aliases, MODEL, to=version, actor="a", reason="r")
                assert champion_of(life.entries).current == version
        assert life.ledger.verify() == []
