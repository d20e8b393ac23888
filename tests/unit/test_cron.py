"""A schedule that `lines.yaml` may have is one that Prefect reads the same way."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st
from prefect._vendor.croniter import croniter
from prefect.client.schemas.schedules import CronSchedule

from patchae.cron import cron_fields

_ENDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES = ("JAN", "feb", "Dec", "SUN", "mon", "SAT")


def _parts(first: int, last: int) -> st.SearchStrategy[str]:
    end = st.integers(first, last).map(str) | st.sampled_from(_NAMES)
    step = st.sampled_from(["", "/0", "/2", "/7", "/90"])
    span = st.just("*") | st.tuples(end, end).map("-".join)
    odd = st.sampled_from(["L", "LW", "5L", "L5", "15W", "2#1", "?", "H", "R", "3/5", "5-5", "60"])
    return end | st.tuples(span, step).map("".join) | odd


FIELDS = st.tuples(
    *(
        st.just("*") | st.lists(_parts(*ends), min_size=1, max_size=2).map(",".join)
        for ends in _ENDS
    )
)


@given(FIELDS)
def test_what_is_usable_means_the_same_to_prefect(fields: tuple[str, ...]) -> None:
    text = " ".join(fields)
    try:
        cron_fields(text)
    except ValueError:
        assume(False)
    CronSchedule(cron=text)
    if "*" in (fields[2], fields[4]):  # of day and weekday at once readers differ, as crons do
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        prefects = croniter(text, moment)
        for due in islice(CronSim(text, moment), 3):
            assert prefects.get_next(datetime) == due


@pytest.mark.parametrize(
    "text",
    [
        "0 0 3 * * 1",
        "0 3 * * 5L",
        "0 3 LW * *",
        "0 3 L * *",
        "0 3 * * 5#2",
        "@daily",
        "0 3 5-5 * *",
        "0 3 * 2-feb *",
        "0 3 * 02-2 *",
        "0 3 * * mon-1",
    ],
)
def test_what_readers_see_differently_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="five cron fields"):
        cron_fields(text)


@pytest.mark.parametrize(
    "text", ["0 3 * * 1", "*/15 6-22 * * MON-FRI", "30 2 1,15 jan-jun *", "0 0-23/2 * * 0"]
)
def test_what_people_write_is_usable(text: str) -> None:
    assert cron_fields(text) == text
