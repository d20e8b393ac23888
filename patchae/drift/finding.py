"""What a look for drift found: a few readings, each with its size and its chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Reading:
    """One statistic, recent beside what the champion was calibrated on."""

    name: str
    """`brightness`, `contrast`, `sharpness`, `red`, `blue`, `shift_x`, `shift_y`, `embedding`,
    `score` or `alarms`."""
    reference: float
    """Median of the reference; for `alarms` the highest rate that the calibration allows for."""
    recent: float
    """The same of the recent images."""
    effect: float
    """How far apart they are, in standard deviations of the reference; below 0: smaller now."""
    p: float
    """Chance of a difference as large if nothing had changed, corrected for the number of
    statistics."""
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
    ordinary: tuple[str, ...] = ()
    """Files of images of the reference, to look at beside them."""
    confirmed: tuple[str, ...] = ()
    """Statistics whose drift was found twice in a row, or once beyond doubt."""
    seen: tuple[str, ...] = ()
    """Contents of the images looked at: SHA-256 of their files, oldest first."""
    folder: bool = False
    """Whether they were of a folder that somebody named, and not what the scoring service kept."""
    asked: bool = False
    """Whether a retraining was asked for because of it."""
    white: int | None = None
    """Value that counts as white in a 16-bit file, as the champion has it; None: not known."""
    left_out: int = 0
    """How many images were not looked at: of a type that is not read, or none that the champion may
    be asked about. A linked folder counts as one."""

    @property
    def ended(self) -> datetime:
        """Time of the newest image, or of the look if a clock was ahead then."""
        return min(datetime.fromisoformat(one) for one in (self.until, self.checked))

    @property
    def drifted(self) -> bool:
        """Whether any statistic drifted."""
        return any(one.drifted for one in self.readings)

    @property
    def reason(self) -> str:
        """What was found, in words, for the reason of a retraining."""
        told = [
            f"{one.name} {one.reference:.4g} to {one.recent:.4g} ({one.effect:+.1f} sd)"
            for one in self.readings
            if one.drifted
        ]
        return f"drift over {self.images} images: {', '.join(told)}"
