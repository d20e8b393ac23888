"""The log of decisions: nothing that was logged is lost, and nothing is there twice."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from patchae.predictions import journal, log, parts, storing
from patchae.predictions.log import PredictionLog
from patchae.predictions.reading import frame, predictions
from patchae.predictions.record import Prediction
from patchae.project import Project

NOW = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)


def decision(number: int, time_: datetime = NOW, **more: object) -> Prediction:
    """One decision, told apart by its image."""
    made = Prediction(
        time=time_,
        image=f"{number:064x}",
        name=f"part {number}.png",
        model="caps.cap",
        version="1",
        score=0.5 + number,
        threshold=1.0,
        anomalous=number > 0,
        latency_ms=12.5,
        origin="service",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def seen(project: Project) -> list[str]:
    """What `decision` was told for each that is found."""
    return sorted(one.image[-1] for one in predictions(project))


def hurried(patch: pytest.MonkeyPatch, *, rows: int = log.ROTATE_ROWS) -> None:
    """What happens behind happens many times a second."""
    patch.setattr(log, "SYNC_S", 0.02)
    patch.setattr(log, "AGAIN_S", 0.02)
    patch.setattr(log, "ROTATE_ROWS", rows)


def until(so: Callable[[], bool], patience_s: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + patience_s
    while not so():
        assert time.monotonic() < end, "it never came so"
        time.sleep(0.01)


def interleaved(
    patch: pytest.MonkeyPatch, module: ModuleType, name: str, meanwhile: Callable[[int], object]
) -> None:
    """Let something happen after each call of a function, told how many there were."""
    real, calls = getattr(module, name), itertools.count(1)

    def then(*given: Any, **more: Any) -> Any:
        found = real(*given, **more)
        meanwhile(next(calls))
        return found

    patch.setattr(module, name, then)


def test_what_was_logged_a_moment_ago_is_found(project: Project, book: PredictionLog) -> None:
    told = [decision(number) for number in range(5)]
    for one in told:
        book.append(one)
    assert list(predictions(project)) == told
    book.flush()
    assert journal.journals(project.predictions / "journal") == []
    assert list(predictions(project)) == told
    assert frame(project)["score"].sum() == sum(one.score for one in told)


def test_they_are_asked_for_by_model_image_and_time(project: Project, book: PredictionLog) -> None:
    for day in range(4):
        for number in range(3):
            book.append(decision(number, NOW + timedelta(days=day), model=f"caps.{number}"))
        book.flush() if day < 3 else None
    assert [one.model for one in predictions(project, model="caps.1")] == ["caps.1"] * 4
    assert len(list(predictions(project, images=[f"{2:064x}"]))) == 4
    assert list(predictions(project, images=[])) == []
    since, until = NOW + timedelta(days=1), NOW + timedelta(days=3)
    assert len(list(predictions(project, since=since, until=until))) == 6
    assert len(list(predictions(project, since=since))) == 9
    assert len(list(predictions(project, model="caps.1", until=until))) == 3


def test_a_day_is_a_folder_of_its_own(project: Project, book: PredictionLog) -> None:
    midnight = datetime(2026, 3, 5, tzinfo=UTC)
    book.append(decision(1, midnight - timedelta(microseconds=1)))
    book.append(decision(2, midnight))
    book.flush()
    assert parts.days(project.predictions) == [date(2026, 3, 4), date(2026, 3, 5)]
    assert [one.image[-1] for one in predictions(project, since=midnight)] == ["2"]


def test_a_crash_between_part_and_journal_counts_nothing_twice(project: Project) -> None:
    folder = project.predictions / "journal"
    written = journal.Journal(folder)
    for number in range(3):
        written.append(decision(number, NOW + timedelta(days=number)))
    found, _ = journal.read(written.path)
    # Of three days one has its part when the crash comes.
    parts.write(project.predictions, written.path.stem, found[:1])
    written.close()
    assert len(list(predictions(project))) == 3
    storing.finish(project.predictions)
    assert not written.path.exists()
    assert len(list(predictions(project))) == 3


def test_the_journal_of_a_living_process_is_left_alone(project: Project) -> None:
    written = journal.Journal(project.predictions / "journal")
    written.append(decision(1))
    storing.finish(project.predictions)
    assert written.path.exists()
    written.close()
    storing.finish(project.predictions)
    assert not written.path.exists()


def test_a_journal_is_nobodys_before_it_is_locked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody looks for journals of dead processes in the very moment in which one is made."""
    lock = journal.fcntl.flock
    looked = []

    def meanwhile(file: int, how: int) -> None:
        if how == journal.fcntl.LOCK_EX:
            looked.append(file)
            storing.finish(project.predictions)
        lock(file, how)

    monkeypatch.setattr(journal.fcntl, "flock", meanwhile)
    written = journal.Journal(project.predictions / "journal")
    written.append(decision(1))
    assert looked
    assert list(predictions(project)) == [decision(1)]
    written.close()
    storing.finish(project.predictions)
    assert list(predictions(project)) == [decision(1)]


def test_a_line_that_a_crash_cut_is_known_for_it(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    written = journal.Journal(project.predictions / "journal")
    for number in range(3):
        written.append(decision(number))
    written.close()
    content = written.path.read_bytes()
    written.path.write_bytes(content[:-40])
    storing.finish(project.predictions)
    assert "1 lines are not whole" in caplog.text
    assert seen(project) == ["0", "1"]


@contextmanager
def full_after(path: Path, room: int) -> Iterator[None]:
    """The system lets a file grow by so many bytes and no more, for the length of a block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_was_full_costs_no_later_decision(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    written = journal.Journal(project.predictions / "journal")
    written.append(decision(1))
    with full_after(written.path, 50), pytest.raises(OSError, match="too large"):
        written.append(decision(2))
    written.append(decision(3))
    written.close()
    storing.finish(project.predictions)
    assert seen(project) == ["1", "3"]
    assert "not whole" not in caplog.text


def test_a_journal_whose_half_line_stays_has_no_more_of_them(
    project: Project, book: PredictionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> None:
        raise OSError(errno.EIO, "no")

    book.append(decision(1))
    (first,) = journal.journals(project.predictions / "journal")
    monkeypatch.setattr(os, "ftruncate", refused)
    with full_after(first, 50), pytest.raises(OSError, match="no"):
        book.append(decision(2))
    book.append(decision(3))
    assert seen(project) == ["1", "3"]


def test_decisions_reach_the_disk_while_a_store_hangs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    hangs, go_on, synced = threading.Event(), threading.Event(), threading.Event()
    interleaved(monkeypatch, parts, "days", lambda _: (hangs.set(), go_on.wait(180)))
    book = PredictionLog(project.predictions)
    assert hangs.wait(60)
    interleaved(monkeypatch, os, "fsync", lambda _: synced.set())
    book.append(decision(1))
    reached = synced.wait(60)
    go_on.set()
    book.close()
    assert reached
    assert list(predictions(project)) == [decision(1)]


def test_no_decision_waits_for_the_disk(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch)
    begun, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(file: int) -> None:
        begun.set()
        go_on.wait(120)
        fsync(file)

    book = PredictionLog(project.predictions)
    book.append(decision(1))
    monkeypatch.setattr(os, "fsync", slow)
    assert begun.wait(60)
    before = time.monotonic()
    book.append(decision(2))
    took_s = time.monotonic() - before
    go_on.set()
    book.close()
    assert took_s < 60
    assert seen(project) == ["1", "2"]


NO_TEXT = "\ud800 \udcff.png"
"""Half a character, as JSON can name it, and a byte of a file name that is no text."""


def test_a_name_that_is_no_text_keeps_no_decision_waiting(
    project: Project, book: PredictionLog
) -> None:
    book.append(decision(1, name=NO_TEXT))
    book.append(decision(2))
    assert [one.name for one in predictions(project)] == [r"\ud800 \udcff.png", "part 2.png"]
    book.flush()
    assert journal.journals(project.predictions / "journal") == []
    assert [one.name for one in predictions(project)] == [r"\ud800 \udcff.png", "part 2.png"]


def test_many_threads_have_one_log(project: Project, book: PredictionLog) -> None:
    def some(start: int) -> None:
        for number in range(start, start + 200):
            book.append(decision(number))
            if number % 50 == 0:
                book.flush()

    threads = [threading.Thread(target=some, args=(1000 * one,)) for one in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len({one.image for one in predictions(project)}) == 800
    assert len(list(predictions(project))) == 800
