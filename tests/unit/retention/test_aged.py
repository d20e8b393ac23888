"""What is kept by day, and what becomes of a tidying when a disk does not do as it should."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from patchae.config import Retention
from patchae.drift import store
from patchae.drift.finding import Drift
from patchae.files import write_text
from patchae.project import Project
from patchae.retention.aged import drift, recent
from patchae.retention.item import Asked, Item
from patchae.retention.log import log_file
from patchae.retention.tidy import carry_out
from tests.support.registry.memory import MODEL
from tests.unit.predictions.test_log import full_after


def aged(path: Path, since: datetime) -> None:
    """As if everything there had been written then."""
    for one in (path, *path.rglob("*")):
        os.utime(one, (since.timestamp(),) * 2)


def test_a_day_is_as_old_as_its_last_image(tmp_path: Path) -> None:
    project = Project(tmp_path)
    write_text(project.recent / MODEL / "2026-03-04" / "a.png", "of one minute to midnight")

    def may_go(now: datetime) -> list[str]:
        return [one.what for one in recent(project, Asked(Retention(recent_days=1), now, "")).items]

    assert may_go(datetime(2026, 3, 5, 23, 59, tzinfo=UTC)) == []
    assert may_go(datetime(2026, 3, 6, tzinfo=UTC)) == [f"recent/{MODEL}/2026-03-04"]


def test_looks_that_monitoring_goes_by_stay_however_old(tmp_path: Path) -> None:
    """What was asked for is not asked for again, and what was confirmed stands."""
    project, now = Project(tmp_path), datetime.now(UTC)

    def looked(days: int, version: str, *, asked: bool = False, folder: bool = False) -> Drift:
        then = now - timedelta(days=days)
        time = then.isoformat(timespec="milliseconds")
        found = Drift(MODEL, version, time, time, time, 50, (), (), asked=asked, folder=folder)
        store.save(project, found, [], [])
        aged(store.folder_of(project, found), then)
        return found

    looked(900, "1", asked=True)
    first = looked(800, "1", asked=True)
    looked(700, "2")
    second = looked(600, "2", asked=True)
    looked(500, "3")
    kept = looked(400, "3")
    looked(300, "3", folder=True)
    newest = looked(200, "3", folder=True)
    for item in drift(project, Asked(Retention(drift_days=180), now, "")).items:
        item.remove()
    assert store.all_of(project, MODEL) == [newest, kept, second, first]


def test_what_cannot_be_removed_keeps_nothing_else_waiting(tmp_path: Path) -> None:
    project, asked = Project(tmp_path), Asked(Retention(), datetime.now(UTC), "tester")
    (tmp_path / "full" / "inside").mkdir(parents=True)
    (tmp_path / "empty").mkdir()

    def remove(name: str) -> int:
        (tmp_path / name).rmdir()
        return 1

    items = [Item("recent", name, 1, "old", partial(remove, name)) for name in ("full", "empty")]
    came = [one for _, one in carry_out(project, items, asked)]
    assert came[1:] == [1]
    assert "not empty" in str(came[0])
    assert str(tmp_path / "full") in str(came[0])
    steps = [json.loads(line)["step"] for line in log_file(project).read_text().splitlines()]
    assert steps == ["begins", "stays", "begins", "done"]


def test_a_disk_that_is_nearly_full_removes_nothing_past_the_log(tmp_path: Path) -> None:
    project, asked = Project(tmp_path), Asked(Retention(), datetime.now(UTC), "tester")
    write_text(log_file(project), "{}\n")
    gone: list[int] = []
    item = Item("recent", "a day", 1, "old", lambda: gone.append(1) or 1)
    with full_after(log_file(project), 40), pytest.raises(OSError, match="too large"):
        list(carry_out(project, [item], asked))
    assert not gone
    assert list(carry_out(project, [item], asked)) == [(item, 1)]
