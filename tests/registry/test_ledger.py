"""The ledger keeps what was written, in one chain, and shows whatever was changed since."""

from __future__ import annotations

import multiprocessing
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from patchae.errors import AuditBroken, PatchaeError, StoreBusy, StoreUnreachable
from patchae.project import Project
from patchae.registry.ledger import GENESIS, Ledger
from tests.registry.memory import move


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "some folder" / "a#b?100%.db")


def test_what_was_appended_is_what_is_read(ledger: Ledger) -> None:
    first = ledger.append("move", "m", move("1", extra=("a", 0.1)), "ann")
    second = ledger.append("move", "n", move("2"), "bob\udcff")
    assert ledger.entries() == [first, second]
    assert ledger.entries("n") == [second]
    assert ledger.head() == second
    assert ledger.verify() == []
    assert (first.seq, first.previous, first.body["extra"]) == (1, GENESIS, ["a", 0.1])
    assert (second.seq, second.previous, second.actor) == (2, first.digest, "bob\\udcff")


def test_a_missing_ledger_is_empty_and_reading_does_not_create_it(ledger: Ledger) -> None:
    assert (ledger.entries(), ledger.head(), ledger.verify()) == ([], None, [])
    assert not ledger.path.parent.exists()


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


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET actor = 'eve' WHERE seq = 1",
        "DELETE FROM ledger WHERE seq = 2",
        "INSERT OR REPLACE INTO ledger SELECT 1, time, kind, model, 'eve', body, 'p', digest"
        " FROM ledger WHERE seq = 1",
        "INSERT INTO ledger SELECT 9, time, kind, model, actor, body, 'p', digest"
        " FROM ledger WHERE seq = 1",
        "INSERT INTO ledger SELECT 3, time, kind, model, actor, body, previous, digest"
        " FROM ledger WHERE seq = 2",
    ],
)
def test_the_database_itself_refuses_everything_but_the_next_row(
    ledger: Ledger, statement: str
) -> None:
    rows = [ledger.append("move", "m", move(str(number)), "ann") for number in range(2)]
    with (
        sqlite3.connect(ledger.path) as connection,
        pytest.raises(sqlite3.IntegrityError, match="ledger"),
    ):
        connection.execute(statement)
    assert ledger.entries() == rows


def tamper(ledger: Ledger, statement: str) -> None:
    """Change the file as somebody with a database tool can, past the triggers."""
    with sqlite3.connect(ledger.path) as connection:
        for name in ("ledger_no_update", "ledger_no_delete", "ledger_at_the_end"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE ledger SET actor = 'eve' WHERE seq = 2", "row 2: content changed"),
        ("UPDATE ledger SET body = 'x' WHERE seq = 2", "row 2: content changed; it cannot"),
        ("UPDATE ledger SET actor = CAST(x'ff' AS TEXT) WHERE seq = 2", "row 2: content changed"),
        ("DELETE FROM ledger WHERE seq = 2", "row 2: missing"),
        ("UPDATE ledger SET previous = 'x' WHERE seq = 2", "row 2: content changed"),
    ],
)
def test_verify_names_the_row_that_was_tampered_with(
    ledger: Ledger, statement: str, fault: str
) -> None:
    for number in range(3):
        ledger.append("move", "m", move(str(number)), "ann")
    tamper(ledger, statement)
    assert ledger.verify()[0].startswith(fault)


def test_an_unreadable_row_is_named_and_does_not_stop_the_next_one(ledger: Ledger) -> None:
    ledger.append("move", "m", move("1"), "ann")
    tamper(ledger, "UPDATE ledger SET body = '[]'")
    with pytest.raises(AuditBroken, match="row 1 of the ledger cannot be read"):
        ledger.entries()
    assert ledger.append("move", "m", move("2"), "ann").seq == 2
    assert len(ledger.verify()) == 1


def test_what_json_cannot_say_is_refused_and_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="JSON"):
        ledger.append("move", "m", move("1", reason=float("nan")), "ann")
    assert ledger.entries() == []


def test_times_are_utc_and_never_go_back(tmp_path: Path) -> None:
    moments = [
        datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 5, 1, 9, tzinfo=UTC),  # the clock was set back
        datetime(2026, 5, 1, 10, 0, 0, 1, tzinfo=UTC),
    ]
    ledger = Ledger(tmp_path / "ledger.db", clock=iter(moments).__next__)
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
        with pytest.raises(StoreBusy, match="another process held the ledger"):
            ledger.append("move", "m", move("3"), "bob")
        assert ledger.entries() == [first]
    assert ledger.entries() == [first, second]


def append_many(path: Path, actor: str, count: int) -> None:
    for number in range(count):
        Ledger(path).append("move", "m", move(str(number)), actor)


def test_processes_that_append_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=append_many, args=(path, name, 15)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    entries = Ledger(path).entries()
    assert Ledger(path).verify() == []
    for name in "abc":
        own = [entry.body["to"] for entry in entries if entry.actor == name]
        assert own == [str(number) for number in range(15)]


def test_a_killed_writer_leaves_every_row_that_it_was_promised(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    script = (
        "import sys; from pathlib import Path\n"
        "from patchae.registry.ledger import Ledger\n"
        "body = dict.fromkeys(['to', 'from', 'why', 'reason', 'verdict'])\n"
        "while True:\n"
        "    print(Ledger(Path(sys.argv[1])).append('move', 'm', body, 'a').digest, flush=True)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    promised = [writer.stdout.readline().strip() for _ in range(5)]
    writer.send_signal(signal.SIGKILL)
    promised += writer.stdout.read().split("\n")[:-1]
    writer.wait()
    writer.stdout.close()
    ledger = Ledger(path)
    assert ledger.verify() == []
    digests = [entry.digest for entry in ledger.entries()]
    assert digests[: len(promised)] == promised
    ledger.append("move", "m", move("1"), "ann")
    assert ledger.verify() == []
