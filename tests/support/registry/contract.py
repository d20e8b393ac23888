"""The ledger keeps what was written, in one chain, and shows whatever was changed since."""

from __future__ import annotations

import platform
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest

from patchae.errors import AuditBroken, PatchaeError, StoreBusy, StoreUnreachable
from patchae.project import Project
from patchae.registry.ledger import GENESIS, Ledger
from tests.support.registry.memory import move
from tests.support.registry.places import Place


def test_what_was_appended_is_what_is_read(ledger: Ledger) -> None:
    first = ledger.append("move", "m", move("1", extra=("a", 0.1)), "ann")
    second = ledger.append("move", "n", move("2"), "bob\udcff")
    assert ledger.entries() == [first, second]
    assert ledger.entries("n") == [second]
    assert ledger.head() == second
    assert ledger.verify() == []
    assert (first.seq, first.previous, first.body["extra"]) == (1, GENESIS, ["a", 0.1])
    assert (second.seq, second.previous, second.actor) == (2, first.digest, "bob\\udcff")


def test_a_missing_ledger_is_empty_and_reading_does_not_create_it(
    place: Place, ledger: Ledger
) -> None:
    assert (ledger.entries(), ledger.head(), ledger.verify()) == ([], None, [])
    if isinstance(place.at, Path):
        assert not place.at.parent.exists()
    else:
        with pytest.raises(psycopg.errors.UndefinedTable):
            place.execute("SELECT * FROM ledger")


def test_a_row_says_who_wrote_it_where_and_in_which_flow_run(place: Place) -> None:
    by_hand = place.ledger().append("move", "m", move("1"), "ann")
    in_a_flow = place.ledger(flow_run="f1").append("move", "m", move("2"), "ann\0")
    assert (by_hand.actor, by_hand.host, by_hand.flow_run) == ("ann", platform.node(), "")
    assert (in_a_flow.actor, in_a_flow.flow_run) == ("ann\\x00", "f1")
    assert place.ledger().entries() == [by_hand, in_a_flow]
    assert place.ledger().verify() == []


def test_an_empty_file_left_by_a_crash_is_an_empty_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    assert Ledger(path).entries() == []
    assert Ledger(path).append("move", "m", move("1"), "ann").seq == 1


def test_the_ledger_of_a_project(project: Project) -> None:
    Ledger.of(project).append("move", "m", move("1"), "ann")
    assert project.ledger.is_file()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path, content = tmp_path / "ledger.db", b"this is no database" * 100
    path.write_bytes(content)
    for use in (Ledger(path).entries, Ledger(path).verify, Ledger(path).head):
        with pytest.raises(StoreUnreachable, match=r"(?s)not a database.*ledger\.db"):
            use()
    with pytest.raises(StoreUnreachable, match="not a database"):
        Ledger(path).append("move", "m", move("1"), "ann")
    assert path.read_bytes() == content


def test_another_database_and_a_folder_are_no_ledgers(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE ledger (colour TEXT)")
    for path in (other, tmp_path):
        with pytest.raises(PatchaeError, match="cannot be used"):
            Ledger(path).entries()
    with pytest.raises(StoreUnreachable):
        Ledger(other / "below" / "ledger.db").append("move", "m", move("1"), "ann")


ROW = "time, kind, model, actor, host, flow_run, body, 'p', digest FROM ledger"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET actor = 'eve' WHERE seq = 1",
        "DELETE FROM ledger WHERE seq = 2",
        f"INSERT INTO ledger SELECT 1, {ROW} WHERE seq = 1",
        f"INSERT INTO ledger SELECT 9, {ROW} WHERE seq = 1",
        f"INSERT INTO ledger SELECT 3, {ROW} WHERE seq = 2".replace("'p'", "previous"),
        "TRUNCATE ledger",
        f"INSERT OR REPLACE INTO ledger SELECT 1, {ROW} WHERE seq = 1",
        "SET session_replication_role = replica; DELETE FROM ledger",
    ],
)
def test_the_database_itself_refuses_everything_but_the_next_row(
    place: Place, ledger: Ledger, statement: str
) -> None:
    rows = [ledger.append("move", "m", move(str(number)), "ann") for number in range(2)]
    of_one = {"TRUNCATE": str, "SET session": str, "INSERT OR REPLACE": Path}
    wanted = [kind for words, kind in of_one.items() if statement.startswith(words)]
    if wanted and not isinstance(place.at, wanted[0]):
        pytest.skip("a statement that only the other database knows")
    with pytest.raises((sqlite3.IntegrityError, psycopg.Error), match="ledger"):
        place.execute(statement)
    assert ledger.entries() == rows


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE ledger SET actor = 'eve' WHERE seq = 2", "row 2: content changed"),
        ("UPDATE ledger SET body = 'x' WHERE seq = 2", "row 2: content changed; it cannot"),
        ("DELETE FROM ledger WHERE seq = 2", "row 2: missing"),
        ("UPDATE ledger SET previous = 'x' WHERE seq = 2", "row 2: content changed"),
    ],
)
def test_verify_names_the_row_that_was_tampered_with(
    place: Place, ledger: Ledger, statement: str, fault: str
) -> None:
    for number in range(3):
        ledger.append("move", "m", move(str(number)), "ann")
    place.tamper(statement)
    assert ledger.verify()[0].startswith(fault)


def test_bytes_that_are_no_text_are_seen_as_tampering(tmp_path: Path) -> None:
    place = Place(tmp_path / "ledger.db")
    place.ledger().append("move", "m", move("1"), "ann")
    place.tamper("UPDATE ledger SET actor = CAST(x'ff' AS TEXT)")
    assert place.ledger().verify()[0].startswith("row 1: content changed")


def test_an_unreadable_row_is_named_and_does_not_stop_the_next_one(
    place: Place, ledger: Ledger
) -> None:
    ledger.append("move", "m", move("1"), "ann")
    place.tamper("UPDATE ledger SET body = '[]'")
    with pytest.raises(AuditBroken, match="row 1 of the ledger cannot be read"):
        ledger.entries()
    assert ledger.append("move", "m", move("2"), "ann").seq == 2
    assert len(ledger.verify()) == 1


def test_what_json_cannot_say_is_refused_and_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="JSON"):
        ledger.append("move", "m", move("1", reason=float("nan")), "ann")
    assert ledger.entries() == []


def test_times_are_utc_and_never_go_back(place: Place) -> None:
    moments = [
        datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 5, 1, 9, tzinfo=UTC),  # the clock was set back
        datetime(2026, 5, 1, 10, 0, 0, 1, tzinfo=UTC),
    ]
    ledger = place.ledger(clock=iter(moments).__next__)
    times = [ledger.append("move", "m", move("1"), "ann").time for _ in moments]
    assert times == [
        "2026-05-01T10:00:00.000000Z",
        "2026-05-01T10:00:00.000000Z",
        "2026-05-01T10:00:00.000001Z",
    ]


def test_a_transaction_keeps_all_or_nothing(ledger: Ledger) -> None:
    def half() -> None:
        with ledger.transaction() as transaction:
            transaction.append("move", "m", move("1"), "ann")
            assert len(transaction.entries("m")) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert ledger.entries() == []
    with ledger.transaction() as transaction:
        pair = [transaction.append("move", "m", move(to), "ann") for to in "12"]
    assert ledger.entries() == pair


def test_who_waits_too_long_is_told_so(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0")
    first = ledger.append("move", "m", move("1"), "ann")
    with ledger.transaction() as transaction:
        second = transaction.append("move", "m", move("2"), "ann")
        with pytest.raises(StoreBusy, match="another process has held the ledger"):
            ledger.append("move", "m", move("3"), "bob")
        assert ledger.entries() == [first]
    assert ledger.entries() == [first, second]


def test_who_waits_too_long_for_a_turn_is_told_so(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0")
    with ledger.turn("m") as begin:
        with pytest.raises(StoreBusy, match="another process has"), ledger.turn("m"):
            pytest.fail("two have the turn of one model")
        with ledger.turn("n"):
            ledger.append("move", "n", move("1"), "ann")
        with begin() as transaction:
            transaction.append("move", "m", move("1"), "ann")
    with ledger.turn("m") as begin, begin() as transaction:
        assert len(transaction.entries()) == 2
