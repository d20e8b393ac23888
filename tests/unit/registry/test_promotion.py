"""The champion moves through the ledger first; the aliases follow it, also after a crash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from patchae.errors import AliasMoved, NegativeFinding, PatchaeError, StoreUnreachable, UsageError
from patchae.registry.alignment import put_back, settle
from patchae.registry.ledger import Ledger, champion_of, open_promotion
from patchae.registry.promotion import adopt, override, promote, retire, rollback
from tests.support.registry.memory import MODEL, MemoryAliases, judged, move, promoted


@pytest.fixture
def aliases() -> MemoryAliases:
    return MemoryAliases()


def test_a_promotion_is_one_row_and_two_aliases(ledger: Ledger, aliases: MemoryAliases) -> None:
    promoted(ledger, aliases, "1")
    assert aliases.get(MODEL) == {"champion": "1"}
    move = promoted(ledger, aliases, "2")
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    head = ledger.head()
    assert head is not None
    assert head.kind == "confirmed"
    assert head.body == {"move": move.seq, "aliases": {"champion": "2", "previous": "1"}}
    assert move in ledger.entries(MODEL)
    assert move.body == {
        "to": "2",
        "from": "1",
        "why": "promoted",
        "reason": "",
        "verdict": move.seq - 1,
    }


def test_a_rollback_returns_to_the_champion_before(ledger: Ledger, aliases: MemoryAliases) -> None:
    promoted(ledger, aliases, "1", "2", "3")
    move = rollback(ledger, aliases, MODEL, actor="bob", reason="too many alarms")
    assert (move.body["to"], move.body["from"], move.actor) == ("2", "3", "bob")
    assert (move.body["why"], move.body["reason"]) == ("rolled_back", "too many alarms")
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    rollback(ledger, aliases, MODEL, actor="bob", reason="still too many")
    assert aliases.get(MODEL) == {"champion": "1"}
    rollback(ledger, aliases, MODEL, to="3", actor="bob", reason="it was the lamp")
    assert aliases.get(MODEL) == {"champion": "3", "previous": "1"}


def test_a_rollback_leads_only_to_former_champions_and_needs_a_reason(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    with pytest.raises(UsageError, match="no earlier champion"):
        rollback(ledger, aliases, MODEL, actor="bob", reason="r")
    promoted(ledger, aliases, "1", "2")
    judged(ledger, "3")
    before = ledger.entries()
    for to, reason, message in (
        ("3", "r", r"never was champion(?s:.*)one of: 1;"),
        ("2", "r", r"already the champion(?s:.*)leave out --to"),
        (None, "  ", "needs a reason"),
    ):
        with pytest.raises(UsageError, match=message):
            rollback(ledger, aliases, MODEL, to=to, actor="bob", reason=reason)
    assert ledger.entries() == before


def test_what_the_gate_did_not_promote_stays_out(ledger: Ledger, aliases: MemoryAliases) -> None:
    for changes, message in (
        ({"auroc": 0.712}, r"0\.712 .* lies below 0\.900(?s:.*)`gates:`"),
        ({"n_good": 1}, r"too few(?s:.*)`patchae promote sample\.bolt/1 --override --reason TEXT`"),
    ):
        verdict = judged(ledger, "1", **changes)
        with pytest.raises(NegativeFinding, match=message):
            promote(ledger, aliases, MODEL, "1", verdict=verdict, actor="ann")
    assert champion_of(ledger.entries(MODEL)).current is None
    assert aliases.calls == 0


def test_a_verdict_counts_once_for_its_own_version_and_model(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    first = judged(ledger, "1")
    with pytest.raises(UsageError, match="on version 1, not on version 2"):
        promote(ledger, aliases, MODEL, "2", verdict=first, actor="ann")
    with pytest.raises(UsageError, match="not a verdict on other"):
        promote(ledger, aliases, "other", "1", verdict=first, actor="ann")
    move = promote(ledger, aliases, MODEL, "1", verdict=first, actor="ann")
    with pytest.raises(UsageError, match="already used"):
        promote(ledger, aliases, MODEL, "1", verdict=first, actor="ann")
    with pytest.raises(UsageError, match="not a verdict"):
        promote(ledger, aliases, MODEL, "1", verdict=move, actor="ann")
    with pytest.raises(UsageError, match="already the champion"):
        promote(ledger, aliases, MODEL, "1", verdict=judged(ledger, "1"), actor="ann")


def test_a_verdict_against_a_former_champion_asks_to_be_judged_again(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    promoted(ledger, aliases, "1")
    two, three = judged(ledger, "2"), judged(ledger, "3")
    promote(ledger, aliases, MODEL, "3", verdict=three, actor="ann")
    with pytest.raises(NegativeFinding, match=r"version 1, but now champion version 3(?s:.*)again"):
        promote(ledger, aliases, MODEL, "2", verdict=two, actor="ann")


def test_an_older_verdict_does_not_outlive_a_newer_one(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    older = judged(ledger, "1")
    judged(ledger, "1", auroc=0.3)
    with pytest.raises(NegativeFinding, match="newer verdict"):
        promote(ledger, aliases, MODEL, "1", verdict=older, actor="ann")


class Down(MemoryAliases):
    """MLflow that stops answering before the change number `last`."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

    def check_may_move(self, model: str) -> None:
        """Everybody may."""

    def set(self, model: str, alias: str, version: str) -> None:
        if self.calls >= self.last:
            raise StoreUnreachable("MLflow does not answer")
        super().set(model, alias, version)


@pytest.mark.parametrize("last", [1, 2])
def test_a_crash_between_the_ledger_and_the_aliases_is_reconciled(
    ledger: Ledger, last: int
) -> None:
    aliases = Down(last)
    promoted(ledger, aliases, "1")
    verdict = judged(ledger, "2")
    with pytest.raises(StoreUnreachable):
        promote(ledger, aliases, MODEL, "2", verdict=verdict, actor="ann")
    # The move is decided; MLflow lags behind, and nothing is promoted a second time.
    assert champion_of(ledger.entries(MODEL)).current == "2"
    assert open_promotion(ledger.entries(MODEL), "2") is None
    assert aliases.get(MODEL) != {"champion": "2", "previous": "1"}
    aliases.last = 9
    assert settle(ledger, aliases, MODEL, actor="bob")
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    assert not settle(ledger, aliases, MODEL, actor="bob")
    move, repair = ledger.entries(MODEL)[-2:]
    assert (move.kind, repair.kind, repair.actor) == ("move", "repair", "bob")
    assert repair.body == {
        "move": move.seq,
        "why": "interrupted",
        "found": {"champion": "1"} if last == 1 else {"champion": "2"},
        "set": {"champion": "2", "previous": "1"},
        "reason": "",
    }


class TestMovedPastTheLedger:
    """Aliases that somebody set in MLflow: nothing moves until a person says what is meant."""

    @pytest.fixture
    def moved(self, ledger: Ledger, aliases: MemoryAliases) -> MemoryAliases:
        """Champion 2 after 1; MLflow shows 3, which the gate held back."""
        promoted(ledger, aliases, "1", "2")
        judged(ledger, "3", n_good=1)
        judged(ledger, "4", auroc=0.3)
        aliases.models[MODEL] |= {"champion": "3", "challenger": "7"}
        return aliases

    def test_every_move_is_refused_and_says_how_to_mend(
        self, ledger: Ledger, moved: MemoryAliases
    ) -> None:
        verdict, before = judged(ledger, "5"), moved.get(MODEL)
        said = (
            r"champion is version 3 in MLflow and version 2 in the ledger;"
            r"(?s:.*)saw them right at 20(?s:.*)reconcile sample\.bolt --put-back"
        )
        rows = ledger.entries()
        for attempt in (
            lambda: promote(ledger, moved, MODEL, "5", verdict=verdict, actor="ann"),
            lambda: override(ledger, moved, MODEL, "3", actor="ann", reason="r"),
            lambda: rollback(ledger, moved, MODEL, actor="ann", reason="r"),
            lambda: settle(ledger, moved, MODEL, actor="ann"),
        ):
            with pytest.raises(AliasMoved, match=said):
                attempt()
        assert (ledger.entries(), moved.get(MODEL)) == (rows, before)

    def test_put_back(self, ledger: Ledger, moved: MemoryAliases) -> None:
        with pytest.raises(UsageError, match="needs a reason"):
            put_back(ledger, moved, MODEL, actor="ann", reason=" ")
        put_back(ledger, moved, MODEL, actor="ann", reason="nobody asked")
        assert moved.get(MODEL) == {"champion": "2", "previous": "1", "challenger": "7"}
        repair, confirmed = ledger.entries(MODEL)[-2:]
        assert (repair.body["why"], repair.body["reason"]) == ("put_back", "nobody asked")
        assert repair.body["found"] == {"champion": "3", "previous": "1"}
        assert (confirmed.kind, confirmed.body["move"]) == ("confirmed", repair.seq)
        with pytest.raises(UsageError, match="where the ledger says"):
            put_back(ledger, moved, MODEL, actor="ann", reason="again")
        assert not settle(ledger, moved, MODEL, actor="ann")

    def test_adopt(self, ledger: Ledger, moved: MemoryAliases) -> None:
        with pytest.raises(UsageError, match="needs a reason"):
            adopt(ledger, moved, MODEL, actor="ann", reason="")
        move = adopt(ledger, moved, MODEL, actor="ann", reason="it was me")
        assert (move.body["from"], move.body["to"], move.body["why"]) == ("2", "3", "adopted")
        assert moved.get(MODEL) == {"champion": "3", "previous": "2", "challenger": "7"}
        assert not settle(ledger, moved, MODEL, actor="ann")
        with pytest.raises(UsageError, match="no champion of sample"):
            adopt(ledger, moved, MODEL, actor="ann", reason="again")

    @pytest.mark.parametrize(("version", "said"), [("4", "rejected"), ("9", "never judged")])
    def test_what_the_gate_did_not_let_near_is_not_adopted(
        self, ledger: Ledger, moved: MemoryAliases, version: str, said: str
    ) -> None:
        moved.models[MODEL]["champion"] = version
        with pytest.raises(NegativeFinding, match=said):
            adopt(ledger, moved, MODEL, actor="ann", reason="r")
        assert champion_of(ledger.entries(MODEL)).current == "2"

    @pytest.mark.parametrize("gone", [{}, {"champion": "2"}, {"champion": "2", "previous": "9"}])
    def test_nothing_to_adopt(
        self, ledger: Ledger, moved: MemoryAliases, gone: dict[str, str]
    ) -> None:
        moved.models[MODEL] = dict(gone)
        with pytest.raises(AliasMoved):
            settle(ledger, moved, MODEL, actor="ann")
        with pytest.raises(UsageError, match="--put-back"):
            adopt(ledger, moved, MODEL, actor="ann", reason="r")
        put_back(ledger, moved, MODEL, actor="ann", reason="r")
        assert moved.get(MODEL) == {"champion": "2", "previous": "1"}

    def test_also_while_a_move_was_interrupted(
        self, ledger: Ledger, aliases: MemoryAliases
    ) -> None:
        promoted(ledger, aliases, "1")
        body = move("2", verdict=judged(ledger, "2").seq, **{"from": "1"})
        ledger.append("move", MODEL, body, "ann")
        aliases.models[MODEL]["champion"] = "9"
        with pytest.raises(AliasMoved):
            settle(ledger, aliases, MODEL, actor="ann")
        aliases.models[MODEL]["champion"] = "1"
        assert settle(ledger, aliases, MODEL, actor="ann")
        assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}


def test_a_person_may_override_a_hold_and_nothing_else(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    promoted(ledger, aliases, "1")
    held = judged(ledger, "2", n_good=1)
    judged(ledger, "3", auroc=0.3)
    judged(ledger, "4")
    judged(ledger, "5", n_good=1)
    for version, reason, kind, said in (
        ("2", " ", UsageError, "needs a reason"),
        ("3", "r", NegativeFinding, r"rejected, and nobody(?s:.*)gates:"),
        ("4", "r", UsageError, "needs no override"),
        ("6", "r", UsageError, "never judged"),
    ):
        with pytest.raises(kind, match=said):
            override(ledger, aliases, MODEL, version, actor="ann", reason=reason)
    made = override(ledger, aliases, MODEL, "2", actor="ann", reason="the line waits")
    assert (made.body["why"], made.body["verdict"]) == ("overridden", held.seq)
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    with pytest.raises(NegativeFinding, match=r"ann on .+ overridden version 2 at 20"):
        override(ledger, aliases, MODEL, "5", actor="bob", reason="r")
    rollback(ledger, aliases, MODEL, actor="ann", reason="r")
    with pytest.raises(UsageError, match=r"already used(?s:.*)rollback sample\.bolt --to 2"):
        override(ledger, aliases, MODEL, "2", actor="ann", reason="again")


def test_a_version_that_is_in_use_is_not_retired_and_a_retired_one_not_used(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    for version in "1234":
        body = {"version": version, "run_id": "", "training_key": "", "lineage_sha256": ""}
        ledger.append("registered", MODEL, body, "ann")
    promoted(ledger, aliases, "1", "2", "3")
    verdict = judged(ledger, "4")
    for version, said in (
        ("3", "the champion"),
        ("2", "rollback leads"),
        ("9", "no version 9(?s:.*)patchae history"),
    ):
        with pytest.raises(UsageError, match=said):
            retire(ledger, MODEL, version, actor="ann", reason="old")
    for version in "14":
        retire(ledger, MODEL, version, actor="ann", reason="old")
        with pytest.raises(UsageError, match="is retired"):
            retire(ledger, MODEL, version, actor="ann", reason="old")
    with pytest.raises(UsageError, match="is retired"):
        rollback(ledger, aliases, MODEL, to="1", actor="ann", reason="r")
    with pytest.raises(UsageError, match="is retired"):
        promote(ledger, aliases, MODEL, "4", verdict=verdict, actor="ann")
    rollback(ledger, aliases, MODEL, actor="ann", reason="r")
    assert aliases.get(MODEL) == {"champion": "2"}, "1 is no longer what a rollback leads to"


def test_a_target_that_does_not_load_is_not_rolled_back_to(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    promoted(ledger, aliases, "1", "2")
    rows = ledger.entries()

    def broken(version: str) -> None:
        raise UsageError(f"version {version} is damaged")

    with pytest.raises(UsageError, match="version 1 is damaged"):
        rollback(ledger, aliases, MODEL, actor="ann", reason="r", check=broken)
    assert ledger.entries() == rows


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_who_promote_at_the_same_time_one_wins(ledger: Ledger, attempt: int) -> None:
    aliases = MemoryAliases()
    promoted(ledger, aliases, "1")
    verdicts = {version: judged(ledger, version) for version in ("2", "3", "4")}
    start = Barrier(len(verdicts))

    def attempt_to(version: str) -> str:
        start.wait()
        try:
            promote(ledger, aliases, MODEL, version, verdict=verdicts[version], actor=version)
        except PatchaeError as error:
            return type(error).__name__
        return version

    with ThreadPoolExecutor(len(verdicts)) as pool:
        results = list(pool.map(attempt_to, verdicts))
    winners = [result for result in results if result in verdicts]
    assert len(winners) == 1
    assert sorted(results) == sorted([*winners, "NegativeFinding", "NegativeFinding"])
    assert aliases.get(MODEL) == {"champion": winners[0], "previous": "1"}
    assert ledger.verify() == []
