"""Decisions per model and day, counted from the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from patchae.predictions.log import PredictionLog
from patchae.predictions.record import Prediction
from patchae.project import Project
from patchae.report.sparkline import sparkline_svg
from patchae.report.traffic import traffic, window
from patchae.report.week import DAYS

NOW = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)


def decision(time: datetime, model: str = "hall.disc", *, alarm: bool = False) -> Prediction:
    return Prediction(
        time, "a" * 64, "1.png", model, "3", 0.7 if alarm else 0.2, 0.5, alarm, 9.0, "service"
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which two models decided."""
    found = Project(tmp_path)
    log = PredictionLog.open(found)
    midnight = NOW.replace(hour=0, minute=0)
    log.append(decision(window(NOW) - timedelta(seconds=1)))  # too long ago
    log.append(decision(window(NOW)))
    log.append(decision(midnight - timedelta(microseconds=1), alarm=True))  # yesterday
    log.append(decision(midnight))
    log.append(decision(NOW - timedelta(minutes=4), alarm=True))
    log.append(decision(NOW - timedelta(days=2), "hall.lens"))
    log.close()
    return found


def test_each_decision_counts_on_its_day_in_utc(project: Project) -> None:
    found = traffic(project, NOW)
    assert set(found) == {"hall.disc", "hall.lens"}
    disc = found["hall.disc"]
    assert [(day.images, day.alarms) for day in disc.days] == [
        (1, 0),
        *[(0, 0)] * 4,
        (1, 1),
        (2, 1),
    ]
    assert disc.days[-1].day == NOW.date()
    assert len(disc.days) == DAYS
    assert (disc.images, disc.alarms, disc.rate) == (4, 2, 0.5)
    assert disc.last == NOW - timedelta(minutes=4)


def test_the_zone_of_the_moment_does_not_move_the_days(project: Project) -> None:
    from zoneinfo import ZoneInfo

    there = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
    assert traffic(project, there) == traffic(project, NOW)


def test_without_a_log_nothing_was_decided(tmp_path: Path) -> None:
    assert traffic(Project(tmp_path), NOW) == {}


def test_the_drawing_says_every_day_in_words(project: Project) -> None:
    drawn = sparkline_svg(traffic(project, NOW)["hall.disc"], "hall.<disc>")
    assert 'role="img"' in drawn
    assert "hall.&lt;disc&gt;" in drawn
    assert "25 Nov: 2, 50.0% alarms" in drawn
    assert "22 Nov: none" in drawn
