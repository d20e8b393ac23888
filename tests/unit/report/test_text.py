"""Numbers in a report are never rounder than the truth."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from patchae.report import text

shares = st.floats(0, 1, allow_subnormal=False)


@given(shares)
def test_a_share_is_written_as_whole_only_if_it_is(share: float) -> None:
    assert (text.percent(share) in ("100%", "100.0%")) == (share == 1)
    assert (text.percent(share) in ("0%", "0.0%")) == (share == 0)
    assert (text.auroc(share) == "1.0000") == (share == 1)


@given(shares)
def test_what_is_written_lies_within_its_last_digit(share: float) -> None:
    written = text.percent(share).rstrip("%").removeprefix("> ").removeprefix("< ")
    assert abs(float(written) - 100 * share) <= 0.1


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
@example(0.1, math.nextafter(0.1, 1))
def test_a_score_is_told_apart_from_its_threshold(score: float, threshold: float) -> None:
    assume(score != threshold)
    one, other = text.pair(score, threshold)
    assert one != other


def test_what_was_not_measured_is_a_dash() -> None:
    assert text.auroc(None) == text.percent(None) == text.NONE


def test_counts_agree_with_their_noun() -> None:
    assert text.count(1, "image") == "1 image"
    assert text.count(0, "image") == "0 images"
    assert text.count(1234, "image") == "1,234 images"


def test_a_time_is_written_in_the_zone_of_the_report() -> None:
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert text.when(noon) == "2026-07-01 12:00 UTC"
    assert text.when(noon, ZoneInfo("Europe/Berlin")) == "2026-07-01 14:00 CEST"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        text.when(datetime(2026, 7, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=59), "0 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(minutes=120), "2 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(hours=48), "2 days"),
        (timedelta(days=-1), "0 minutes"),
    ],
)
def test_an_age_is_minutes_then_hours_and_then_days(ago: timedelta, said: str) -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    assert text.age(now - ago, now) == said


@pytest.mark.parametrize(
    ("p", "said"), [(0.214, "0.21"), (0.00031, "0.00031"), (1e-12, "< 1e-9"), (0.0, "< 1e-9")]
)
def test_a_chance_is_never_rounded_to_none(p: float, said: str) -> None:
    assert text.chance(p) == said
