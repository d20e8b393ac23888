"""What a look for drift found: a few readings, each with its size and its chance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One statistic, recent beside what the champion was calibrated on."""

    name: str
    """`brightness`, `spread`, `sharpness`, `red cast` ..., `embedding`, `score`, `alarms`."""
    reference: float
    """Its median (rate, for `alarms`) where the champion was calibrated."""
    recent: float
    """The same of the recent images."""
    effect: float
    """How far apart they are, in the units that `patchae.drift` documents for it; 0: not at all."""
    p: float
    """Chance of a difference as large if nothing had changed, corrected for how often we look."""
    drifted: bool
    """Both unlikely and large enough to matter."""


@dataclass(frozen=True)
class Drift:
    """One look at one champion."""

    model: str
    """Registered name."""
    version: str
    """The champion's version."""
    checked: str
    """When: UTC, ISO 8601."""
    since: str
    """Time of the oldest image looked at, UTC, ISO 8601."""
    until: str
    """Time of the newest."""
    images: int
    """How many were looked at."""
    readings: tuple[Reading, ...]
    """One for each statistic."""
    worst: tuple[str, ...]
    """Files of the images that differ most, worst first; paths within the look's own folder."""

    @property
    def drifted(self) -> bool:
        """Whether any statistic drifted."""
        return any(one.drifted for one in self.readings)
