"""What docs/schedule.md says of the nights on which clocks change is what Prefect's server does."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = (datetime(2027, 3, 28, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN))
PAGE = Path(__file__).parents[3] / "docs" / "schedule.md"
_TIME = r"\d\d:\d\d\+\d\d:\d\d"
ROWS = re.findall(
    rf"\| `([^`]+)` \| ((?:{_TIME}(?:, )?)+) \| ((?:{_TIME}(?:, )?)+) \|", PAGE.read_text()
)


def _due(cron: str, day: datetime) -> list[datetime]:
    """When Prefect makes runs of a day, in Berlin's time; it looks ahead from the noon before."""
    schedule = CronSchedule(cron=cron, timezone=str(BERLIN))
    noon = day - timedelta(hours=12)
    made = asyncio.run(schedule.get_dates(n=100, start=noon, end=day + timedelta(hours=12)))
    local = [one.astimezone(BERLIN) for one in made]
    return [one for one in local if one.date() == day.date() and one.hour < 5]


@pytest.mark.parametrize(("cron", "march", "october"), ROWS)
def test_the_page_says_what_prefect_does(cron: str, march: str, october: str) -> None:
    for day, told in zip(NIGHTS, (march, october), strict=True):
        due = _due(cron, day)
        assert [f"{one:%H:%M}{one.isoformat()[-6:]}" for one in due] == told.split(", ")


def test_the_page_has_such_a_table() -> None:
    assert len(ROWS) == 4


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 2 * * *", "59 2 * * *", "0 3 * * *"])
def test_a_daily_run_happens_once_on_each_night(cron: str) -> None:
    assert [len(_due(cron, day)) for day in NIGHTS] == [1, 1]
