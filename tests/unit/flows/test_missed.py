"""Which run of a schedule was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flows.missed import GRACE, _is_missed

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("taken", "newest", "missed"),
    [
        (NOON + 20 * SECOND, NOON, False),
        (NOON + GRACE, NOON, False),
        (NOON + GRACE + SECOND, NOON, True),
        (NOON + 40 * SECOND, NOON + 30 * SECOND, True),
    ],
)
def test_late_or_followed_by_another_is_missed(
    taken: datetime, newest: datetime, missed: bool
) -> None:
    assert _is_missed(NOON, taken, newest) is missed
