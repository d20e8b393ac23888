"""A version that somebody deleted in MLflow, and its aliases with it: the model is not stuck."""

from __future__ import annotations

import pytest

from patchae.errors import AliasMoved, UsageError
from patchae.registry.aliases import look
from patchae.registry.alignment import put_back, settle
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import adopt, override, promote, rollback
from patchae.registry.standing import champion_of
from tests.support.registry.memory import MODEL, MemoryAliases, judged, move


@pytest.fixture
def aliases(ledger: Ledger) -> MemoryAliases:
    """Champion 2 after 1."""
    aliases = MemoryAliases()
    for version in "12":
        verdict = judged(ledger, version)
        promote(ledger, aliases, MODEL, version, verdict=verdict, actor="ann")
    return aliases


def state(ledger: Ledger, aliases: MemoryAliases) -> str:
    return look(ledger.entries(MODEL), aliases, MODEL).state


def aligned(ledger: Ledger, aliases: MemoryAliases) -> dict[str, str]:
    """The aliases, which are where the ledger says."""
    assert state(ledger, aliases) == "aligned"
    assert champion_of(ledger.entries(MODEL)).aliases() == aliases.get(MODEL)
    return aliases.get(MODEL)


def test_a_rollback_leads_away_from_a_champion_that_was_deleted(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    aliases.lose("2")
    assert state(ledger, aliases) == "lost"
    rows = ledger.entries()
    assert not settle(ledger, aliases, MODEL, actor="ann")
    assert ledger.entries() == rows, "there is nothing to finish"
    rollback(ledger, aliases, MODEL, actor="ann", reason="2 is gone")
    assert aligned(ledger, aliases) == {"champion": "1"}
    with pytest.raises(UsageError, match=r"version 2 of sample\.bolt is no longer in MLflow"):
        rollback(ledger, aliases, MODEL, to="2", actor="ann", reason="r")
    assert ledger.entries()[-1].kind == "confirmed", "and no row was written for it"


def test_a_person_may_promote_over_a_champion_that_was_deleted(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    judged(ledger, "3", n_good=1)
    aliases.lose("2")
    override(ledger, aliases, MODEL, "3", actor="ann", reason="2 is gone")
    assert aliases.get(MODEL) == {"champion": "3"}
    found = look(ledger.entries(MODEL), aliases, MODEL)
    assert (found.state, found.lost) == ("lost", {"previous": "2"})
    confirmed = ledger.entries(MODEL)[-1]
    assert confirmed.body["aliases"] == {"champion": "3"}, "what MLflow then shows"


def test_a_promotion_goes_on_without_the_version_before(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    verdict = judged(ledger, "3")
    aliases.lose("1")
    assert state(ledger, aliases) == "lost"
    rows = ledger.entries()
    with pytest.raises(UsageError, match=r"version 1 of sample\.bolt is no longer in MLflow"):
        rollback(ledger, aliases, MODEL, actor="ann", reason="r")
    assert ledger.entries() == rows
    promote(ledger, aliases, MODEL, "3", verdict=verdict, actor="ann")
    assert aligned(ledger, aliases) == {"champion": "3", "previous": "2"}
    four = judged(ledger, "4")
    aliases.lose("4")
    rows = ledger.entries()
    with pytest.raises(UsageError, match=r"version 4 of sample\.bolt is no longer in MLflow"):
        promote(ledger, aliases, MODEL, "4", verdict=four, actor="ann")
    assert ledger.entries() == rows


def test_what_was_deleted_is_not_put_back_and_no_row_says_so(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    aliases.lose("2")
    rows = ledger.entries()
    with pytest.raises(UsageError, match=r"nothing can be put back(?s:.*)patchae rollback"):
        put_back(ledger, aliases, MODEL, actor="ann", reason="r")
    with pytest.raises(UsageError, match="no champion of sample"):
        adopt(ledger, aliases, MODEL, actor="ann", reason="r")
    assert ledger.entries() == rows


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_row_that_meant_what_was_deleted_is_settled(
    ledger: Ledger, aliases: MemoryAliases, version: str
) -> None:
    wanted = aliases.get(MODEL)
    aliases.lose(version)
    body = {"move": 2, "why": "put_back", "found": aliases.get(MODEL), "set": wanted, "reason": "r"}
    repair = ledger.append("repair", MODEL, body, "ann")
    assert state(ledger, aliases) == "interrupted"
    assert settle(ledger, aliases, MODEL, actor="ann")
    done = ledger.entries(MODEL)[-1]
    assert (done.kind, done.body["move"]) == ("repair", repair.seq)
    assert done.body["set"] == aliases.get(MODEL)
    assert state(ledger, aliases) == "lost"
    assert not settle(ledger, aliases, MODEL, actor="ann")


def test_a_version_of_another_run_under_its_number_is_not_it(
    ledger: Ledger, aliases: MemoryAliases
) -> None:
    """MLflow was restored from a backup of the time before 2, and gave the number again."""
    body = {"version": "2", "run_id": "one", "training_key": "key", "lineage_sha256": "digest"}
    ledger.append("registered", MODEL, body, "ann")
    aliases.models[MODEL] = {"champion": "1"}
    aliases.runs["2"] = "another"
    with pytest.raises(AliasMoved, match="champion is version 1 in MLflow and version 2 in the"):
        settle(ledger, aliases, MODEL, actor="ann")
    put_back(ledger, aliases, MODEL, actor="ann", reason="after the backup")
    assert aliases.get(MODEL) == {"previous": "1"}
    aliases.set(MODEL, "champion", "2")
    assert state(ledger, aliases) == "aligned", "which the audit tells from the right one"
    aliases.delete(MODEL, "champion")
    rollback(ledger, aliases, MODEL, actor="ann", reason="2 is gone")
    assert aligned(ledger, aliases) == {"champion": "1"}
    with pytest.raises(UsageError, match=r"version 2 of sample\.bolt is no longer in MLflow"):
        rollback(ledger, aliases, MODEL, to="2", actor="ann", reason="r")
    aliases.runs["2"] = "one"
    rollback(ledger, aliases, MODEL, to="2", actor="ann", reason="it is back")


def test_one_that_is_moved_besides_is_still_told(ledger: Ledger, aliases: MemoryAliases) -> None:
    judged(ledger, "3", auroc=0.3)
    aliases.lose("2")
    aliases.set(MODEL, "champion", "3")
    with pytest.raises(AliasMoved, match="champion is version 3 in MLflow"):
        settle(ledger, aliases, MODEL, actor="ann")
    put_back(ledger, aliases, MODEL, actor="ann", reason="3 was rejected")
    assert aliases.get(MODEL) == {"previous": "1"}
    rollback(ledger, aliases, MODEL, actor="ann", reason="2 is gone")
    assert aligned(ledger, aliases) == {"champion": "1"}


def test_what_was_put_in_its_place_may_be_adopted(ledger: Ledger, aliases: MemoryAliases) -> None:
    aliases.lose("2")
    aliases.set(MODEL, "champion", "1")
    adopt(ledger, aliases, MODEL, actor="ann", reason="it was me")
    assert aliases.get(MODEL) == {"champion": "1"}
    assert state(ledger, aliases) == "lost", "a rollback would lead to 2"
    promote(ledger, aliases, MODEL, "3", verdict=judged(ledger, "3"), actor="ann")
    assert aligned(ledger, aliases) == {"champion": "3", "previous": "1"}


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_a_move_that_was_interrupted_is_finished_without_it(
    ledger: Ledger, aliases: MemoryAliases, version: str
) -> None:
    body = move("3", verdict=judged(ledger, "3").seq, **{"from": "2"})
    ledger.append("move", MODEL, body, "ann")
    aliases.lose(version)
    assert settle(ledger, aliases, MODEL, actor="bob")
    left = {"champion": "3", "previous": "2"}
    assert aliases.get(MODEL) == {alias: at for alias, at in left.items() if at != version}
    assert state(ledger, aliases) == ("aligned" if version == "1" else "lost")
