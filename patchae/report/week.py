"""What a model decided in the last days, day by day: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from patchae.evidence.counts import share_interval
from patchae.report.content import Interval

DAYS = 7
"""Days of decisions that a page looks back on, today included."""


@dataclass(frozen=True)
class Day:
    """The decisions of one model on one day (UTC)."""

    day: date
    images: int
    alarms: int

    @property
    def rate(self) -> float | None:
        """Share of alarms; None without images."""
        return self.alarms / self.images if self.images else None


@dataclass(frozen=True)
class Traffic:
    """The decisions of the last `DAYS` days."""

    days: tuple[Day, ...]
    """Oldest first, one for each day, also those without an image."""
    last: datetime | None
    """When the newest decision was made."""

    @property
    def images(self) -> int:
        """Images judged."""
        return sum(day.images for day in self.days)

    @property
    def alarms(self) -> int:
        """Alarms among them."""
        return sum(day.alarms for day in self.days)

    @property
    def rate(self) -> float | None:
        """Share of alarms; None without images."""
        return self.alarms / self.images if self.images else None

    @property
    def interval(self) -> Interval:
        """Where the share of alarms of all such images lies, with 95 % confidence."""
        return share_interval(self.alarms, self.images)
