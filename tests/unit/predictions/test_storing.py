"""Stored, joined, sent and removed while others ask: everything is found, and once."""

from __future__ import annotations

import errno
import json
import zlib
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from patchae.errors import DataError
from patchae.predictions import journal, parts, stored, storing
from patchae.predictions.log import PredictionLog
from patchae.predictions.reading import predictions
from patchae.project import Project
from tests.unit.predictions.test_log import NOW, decision, hurried, interleaved, seen, until


def test_days_that_are_over_become_one_file(project: Project) -> None:
    for number in range(6):
        parts.write(project.predictions, f"j{number}", [decision(number)])
    folder = parts.day_folder(project.predictions, NOW.date())
    before = list(predictions(project))
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    storing.join_days(project.predictions, NOW.date() + timedelta(days=1))
    assert len(list(folder.iterdir())) == 6, "yesterday may still be written"
    storing.join_days(project.predictions, NOW.date() + timedelta(days=2))
    (whole,) = folder.iterdir()
    assert list(predictions(project)) == before
    # A crash before the parts were removed: they are held by the file of the day.
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    assert list(predictions(project)) == before
    parts.write(project.predictions, "late", [decision(9)])
    storing.join_days(project.predictions, NOW.date() + timedelta(days=2))
    (again,) = folder.iterdir()
    assert again != whole
    assert list(predictions(project)) == [*before, decision(9)]


def test_a_journal_that_becomes_a_part_while_it_is_asked_for_is_found(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.write(project.predictions, "other", [decision(1)])
    written = journal.Journal(project.predictions / "journal")
    written.append(decision(2))
    written.close()
    interleaved(monkeypatch, parts, "files_of", lambda _: storing.finish(project.predictions))
    assert seen(project) == ["1", "2"]
    assert not written.path.exists()
    assert seen(project) == ["1", "2"]


def test_parts_that_are_joined_while_they_are_read_are_found(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        parts.write(project.predictions, f"j{number}", [decision(number)])
    folder = parts.day_folder(project.predictions, NOW.date())
    # One part is read by then, the next ones are listed.
    interleaved(monkeypatch, parts, "read", lambda call: parts.join(folder) if call == 1 else None)
    assert seen(project) == ["0", "1", "2", "3"]
    assert len(list(folder.iterdir())) == 1
    assert not caplog.text


def test_a_part_that_is_sent_while_it_is_read_is_found_where_it_went(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, far = project.predictions, tmp_path / "far"
    files = [parts.write(here, f"j{number}", [decision(number)])[0] for number in range(3)]

    def send(call: int) -> None:
        if call == 1:
            for file in files[1:]:
                target = far / file.relative_to(here)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)

    interleaved(monkeypatch, parts, "read", send)
    found = stored.Stored(None, None, None)
    found.read(lambda: here)
    found.read(lambda: far)
    assert sum(table.num_rows for table in found.tables()) == 3
    assert all(found.has(f"j{number}", NOW.date()) for number in range(3))


def test_two_that_join_a_day_at_once_count_nothing_twice(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        parts.write(project.predictions, f"j{number}", [decision(number)])
    folder = parts.day_folder(project.predictions, NOW.date())

    def late(call: int) -> None:
        if call == 2:  # the first one has read what it joins
            parts.write(project.predictions, "late", [decision(2)])
            parts.join(folder)

    with monkeypatch.context() as patch:
        interleaved(patch, parts, "read", late)
        parts.join(folder)
    assert seen(project) == ["0", "1", "2"]
    parts.join(folder)
    assert len(list(folder.iterdir())) == 1
    assert seen(project) == ["0", "1", "2"]


def test_what_is_listed_and_never_there_is_said_and_left_out(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    parts.write(project.predictions, "good", [decision(1)])
    folder = parts.day_folder(project.predictions, NOW.date())
    (folder / "part-link.parquet").symlink_to(folder / "nowhere")
    assert seen(project) == ["1"]
    assert "part-link.parquet" in caplog.text


def test_days_beyond_retention_go(project: Project) -> None:
    for day in range(5):
        parts.write(project.predictions, "j", [decision(1, NOW + timedelta(days=day))])
    today = NOW.date() + timedelta(days=4)
    assert storing.retain(project.predictions, 0, today) == []
    assert storing.retain(project.predictions, 2, today) == [
        NOW.date(),
        NOW.date() + timedelta(days=1),
    ]
    assert len(list(predictions(project))) == 3


def test_a_day_that_cannot_be_joined_stops_nothing(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    today = NOW.date() + timedelta(days=9)
    for day in (0, 1, 5):
        for name in "ab":
            parts.write(project.predictions, name, [decision(1, NOW + timedelta(days=day))])
    bad = parts.day_folder(project.predictions, NOW.date() + timedelta(days=1)) / "part-a.parquet"
    bad.write_bytes(bad.read_bytes()[:100])
    with pytest.raises(DataError):
        storing.store(project.predictions, keep_days=8, today=today)
    assert str(bad) in caplog.text
    folders = [
        parts.day_folder(project.predictions, day) for day in parts.days(project.predictions)
    ]
    assert [len(list(folder.iterdir())) for folder in folders] == [2, 1]


def test_a_folder_beside_the_days_stops_nothing(project: Project) -> None:
    """As a copy that somebody made before they tried something."""
    root = project.predictions
    for number, day in enumerate((0, 5)):
        parts.write(root, "j", [decision(number, NOW + timedelta(days=day))])
    for name in (f"{NOW.date()}.bak", "20260304", "2026-W10-3", ""):
        (root / f"date={name}").mkdir()
    assert parts.days(root) == [NOW.date(), NOW.date() + timedelta(days=5)]
    assert seen(project) == ["0", "1"]
    storing.store(root, keep_days=3, today=NOW.date() + timedelta(days=6))
    assert seen(project) == ["1"]


def test_days_that_cannot_be_listed_for_one_thing_stop_no_other(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def once(call: int) -> None:
        if call == 1:  # to join them; the next one is to remove them
            raise OSError(errno.EIO, "the disk hiccups")

    parts.write(project.predictions, "j", [decision(1)])
    with monkeypatch.context() as patch:
        interleaved(patch, parts, "days", once)
        with pytest.raises(OSError, match="hiccups"):
            storing.store(project.predictions, keep_days=3, today=NOW.date() + timedelta(days=9))
    assert "hiccups" in caplog.text
    assert parts.days(project.predictions) == []


@pytest.mark.parametrize("model", [None, "caps.cap"])
def test_a_file_of_another_program_is_said_and_left_out(
    project: Project, model: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    (good,) = parts.write(project.predictions, "good", [decision(1)])
    foreign = {
        "columns": {"part": ["a"], "torque": [1.5]},
        "types": {name: [[1]] for name in parts.schema().names},
    }
    for name, columns in foreign.items():
        parquet.write_table(pa.table(columns), good.with_name(f"part-of-{name}.parquet"))
    assert [one.image[-1] for one in predictions(project, model=model)] == ["1"]
    for name in foreign:
        assert f"part-of-{name}.parquet" in caplog.text
    with pytest.raises(DataError, match="cannot be read"):
        storing.join_days(project.predictions, NOW.date() + timedelta(days=9))
    assert len(list(good.parent.iterdir())) == 3


def test_what_s3_never_had_is_kept_however_old_and_ends_no_command(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    book = PredictionLog(project.predictions, address="no address in S3", keep_days=1)
    book.append(decision(1))
    with pytest.raises(DataError):
        book.flush()
    book.append(decision(2))
    book.close()
    assert "not an address in S3" in caplog.text
    assert seen(project) == ["1", "2"]


def test_a_damaged_file_is_named_and_the_others_are_read(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    parts.write(project.predictions, "good", [decision(1)])
    (bad,) = parts.write(project.predictions, "bad", [decision(2)])
    bad.write_bytes(bad.read_bytes()[:100])
    assert seen(project) == ["1"]
    assert "part-bad.parquet" in caplog.text


def test_a_journal_that_cannot_be_stored_stays_and_stops_nothing(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that another version of patchae wrote, with a column more."""
    hurried(monkeypatch, rows=1)
    other, good = (journal.Journal(project.predictions / "journal") for _ in range(2))
    told = json.dumps({"time": NOW.isoformat(), "image": "0", "colour": "red"}).encode()
    other.path.write_bytes(b"%08x %s\n" % (zlib.crc32(told), told))
    good.append(decision(1))
    other.close()
    good.close()
    book = PredictionLog(project.predictions)
    book.append(decision(2))
    until(lambda: journal.journals(project.predictions / "journal") == [other.path])
    assert seen(project) == ["1", "2"]
    assert other.path.name in caplog.text
    with pytest.raises(TypeError):
        book.flush()
    other.path.unlink()
    book.close()
