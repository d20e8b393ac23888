"""Killed at any step of a move: the next command brings ledger and aliases together, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from patchae.errors import UsageError
from patchae.registry.aliases import compare
from patchae.registry.alignment import put_back, settle
from patchae.registry.ledger import Ledger, Transaction
from patchae.registry.promotion import adopt, promote, rollback
from patchae.registry.standing import champion_of, last_verdict, moves
from tests.support.registry.memory import MODEL, judged
from tests.support.registry.places import Place, side_by_side
from tests.support.registry.shared import SharedAliases


class Steps:
    """Counts what a move does, and kills its own process at one of the steps."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingLedger(Ledger):
    """A step before and after each commit."""

    steps: Steps

    @contextmanager
    def _transaction(self, connection: Any) -> Iterator[Transaction]:
        with super()._transaction(connection) as transaction:
            yield transaction
            self.steps.step()
        self.steps.step()


class DyingAliases(SharedAliases):
    """A step before and after each change."""

    steps: Steps

    def check_may_move(self, model: str) -> None:
        """Everybody may."""

    def set(self, model: str, alias: str, version: str) -> None:
        self.steps.step()
        super().set(model, alias, version)
        self.steps.step()

    def delete(self, model: str, alias: str) -> None:
        self.steps.step()
        super().delete(model, alias)
        self.steps.step()


def promote_3(ledger: Ledger, aliases: SharedAliases) -> None:
    verdict = last_verdict(ledger.entries(MODEL), "3")
    assert verdict is not None
    promote(ledger, aliases, MODEL, "3", verdict=verdict, actor="ann")


def roll_back(ledger: Ledger, aliases: SharedAliases) -> None:
    rollback(ledger, aliases, MODEL, actor="ann", reason="r")


def put_them_back(ledger: Ledger, aliases: SharedAliases) -> None:
    put_back(ledger, aliases, MODEL, actor="ann", reason="r")


def adopt_3(ledger: Ledger, aliases: SharedAliases) -> None:
    adopt(ledger, aliases, MODEL, actor="ann", reason="r")


VERBS: dict[str, tuple[Callable[[Ledger, SharedAliases], None], dict[str, str]]] = {
    "promote": (promote_3, {"champion": "3", "previous": "2"}),
    "rollback": (roll_back, {"champion": "1"}),
    "put_back": (put_them_back, {"champion": "2", "previous": "1"}),
    "adopt": (adopt_3, {"champion": "3", "previous": "2"}),
}


def act(place: Place, shared: Path, verb: str, last: int) -> None:
    """What the process does that is killed."""
    ledger, aliases = DyingLedger(place.where()), DyingAliases(shared)
    ledger.steps = aliases.steps = Steps(last)
    VERBS[verb][0](ledger, aliases)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_killed_at_every_step(new_place: Callable[[], Place], tmp_path: Path, verb: str) -> None:
    again, wanted = VERBS[verb]
    repaired = []
    for last in range(1, 100):
        place, shared = new_place(), tmp_path / f"aliases-{last}.json"
        ledger, aliases = place.ledger(), SharedAliases(shared)
        for version in "12":
            promote(ledger, aliases, MODEL, version, verdict=judged(ledger, version), actor="ann")
        judged(ledger, "3")
        if verb in {"put_back", "adopt"}:
            aliases.set(MODEL, "champion", "3")
        before = ledger.entries()
        (code,) = side_by_side(act, [(place, shared, verb, last)])
        if code == 0:
            break
        assert code == -signal.SIGKILL
        done = ledger.entries()[len(before) :]
        state = compare(ledger.entries(MODEL), aliases.get(MODEL)).state
        if not done:  # it had not begun: the next command is the same one
            again(ledger, aliases)
        elif verb == "rollback" and state == "interrupted":
            with pytest.raises(UsageError, match="had not reached MLflow and has now"):
                again(ledger, aliases)
        else:
            assert settle(ledger, aliases, MODEL, actor="bob") == (state == "interrupted")
        found = ledger.entries()[len(before) :]
        assert ledger.verify() == []
        assert aliases.get(MODEL) == champion_of(ledger.entries(MODEL)).aliases() == wanted
        assert len(moves(found)) == (verb != "put_back"), "nothing is moved twice"
        assert not settle(ledger, aliases, MODEL, actor="bob")
        why = [row.body["why"] for row in found if row.kind == "repair"]
        repaired.append(why.count("interrupted"))
        assert repaired[-1] == (bool(done) and state == "interrupted")
    else:
        pytest.fail("it never came to its end")
    assert last > 8, "the steps of a move were not all seen"
    assert 0 in repaired
    assert 1 in repaired
