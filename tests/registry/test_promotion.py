"""The champion moves through the ledger first; the aliases follow it, also after a crash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from patchae.errors import NegativeFinding, PatchaeError, StoreUnreachable, UsageError
from patchae.registry.ledger import Entry, Ledger, champion_of, open_promotion
from patchae.registry.promotion import Aliases, project, promote, rollback
from tests.registry.memory import MODEL, MemoryAliases, judged


@pytest.fixture
def aliases() -> MemoryAliases:
    return MemoryAliases()


def promoted(ledger: Ledger, aliases: Aliases, *versions: str) -> Entry:
    """Judge and promote versions, one after the other."""
    for version in versions:
        move = promote(
            ledger, aliases, MODEL, version, verdict=judged(ledger, version), actor="ann"
        )
    return move


def test_a_promotion_is_one_row_and_two_aliases(ledger: Ledger, aliases: MemoryAliases) -> None:
    promoted(ledger, aliases, "1")
    assert aliases.get(MODEL) == {"champion": "1"}
    move = promoted(ledger, aliases, "2")
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    assert move == ledger.head()
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
        ("2", "r", "already the champion"),
        (None, "  ", "needs a reason"),
    ):
        with pytest.raises(UsageError, match=message):
            rollback(ledger, aliases, MODEL, to=to, actor="bob", reason=reason)
    assert ledger.entries() == before


def test_what_the_gate_did_not_promote_stays_out(ledger: Ledger, aliases: MemoryAliases) -> None:
    for changes, message in (
        ({"image_auroc": 0.712}, r"0\.712 is below the minimum 0\.900"),
        ({"n_good": 1}, "too few"),
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
    judged(ledger, "1", image_auroc=0.3)
    with pytest.raises(NegativeFinding, match="newer verdict"):
        promote(ledger, aliases, MODEL, "1", verdict=older, actor="ann")


class Down(MemoryAliases):
    """MLflow that stops answering before the change number `last`."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

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
    assert project(ledger, aliases, MODEL)
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    assert not project(ledger, aliases, MODEL)


def test_aliases_set_by_hand_are_put_back_and_others_left_alone(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    promoted(ledger, aliases, "1")
    aliases.models[MODEL] = {"champion": "9", "previous": "8", "challenger": "7"}
    assert project(ledger, aliases, MODEL)
    assert aliases.get(MODEL) == {"champion": "1", "challenger": "7"}


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


def test_the_aliases_of_a_real_mlflow_follow(ledger: Ledger, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")

    class MlflowAliases:
        def get(self, model: str) -> dict[str, str]:
            found = client.get_registered_model(model).aliases
            return {alias: str(version) for alias, version in found.items()}

        def set(self, model: str, alias: str, version: str) -> None:
            client.set_registered_model_alias(model, alias, version)

        def delete(self, model: str, alias: str) -> None:
            client.delete_registered_model_alias(model, alias)

    aliases = MlflowAliases()
    client.create_registered_model(MODEL)
    for _ in range(2):
        client.create_model_version(MODEL, source=str(tmp_path / "model"))
    promoted(ledger, aliases, "1", "2")
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    rollback(ledger, aliases, MODEL, actor="bob", reason="worse in the night shift")
    assert aliases.get(MODEL) == {"champion": "1"}
    assert client.get_model_version_by_alias(MODEL, "champion").version in ("1", 1)
