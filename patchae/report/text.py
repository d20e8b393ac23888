"""How numbers and times are written in a report: never rounder than the truth.

A rate of 0.99999 is not written as 100%, an AUROC of 0.99999 not as 1, and a score next to its
threshold gets as many digits as it takes to tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, tzinfo

NONE = "–"


def auroc(value: float | None) -> str:
    """An AUROC in 0..1 with four decimals; a dash for None."""
    return NONE if value is None else _bounded(value, 1, 4)


def percent(value: float | None) -> str:
    """A share in 0..1 as a percentage with one decimal; a dash for None."""
    if value is None:
        return NONE
    return "0%" if value == 0 else "100%" if value == 1 else _bounded(value * 100, 100, 1) + "%"


def interval(limits: tuple[float, float], write: Callable[[float | None], str]) -> str:
    """Two limits, each as `write` does it: "95 %: 0.9312 to 0.9990"; empty where they are NaN."""
    low, high = limits
    return "" if math.isnan(low) else f"95 %: {write(low)} to {write(high)}"


def _bounded(value: float, top: int, digits: int) -> str:
    """A value in 0..top; one that rounds onto an end without lying there is written as > or <."""
    written, step = f"{value:.{digits}f}", 10**-digits
    if value < top and float(written) == top:
        return f"> {top - step:.{digits}f}"
    if value > 0 and float(written) == 0:
        return f"< {step:.{digits}f}"
    return written


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits."""
    return f"{value:#.{digits}g}".removesuffix(".")


def chance(p: float) -> str:
    """A chance in 0..1, never rounder than the truth: "0.21", "0.00031", "< 1e-9"."""
    if p < 1e-9:
        return "< 1e-9"
    return f"{p:.2g}"


def pair(one: float, other: float) -> tuple[str, str]:
    """Two numbers with enough digits to tell them apart, where they differ."""
    for digits in range(4, 18):
        texts = number(one, digits), number(other, digits)
        if texts[0] != texts[1]:
            return texts
    return number(one), number(other)


def count(n: int, noun: str) -> str:
    """A number of things: "1 image", "2 images", "1,234 images"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def when(time: datetime, zone: tzinfo | None = None) -> str:
    """A time of day with its zone, for example "2026-11-23 16:09 CET".

    Raises:
        ValueError: the time has no zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"a time without a zone: {time.isoformat()}")
    return f"{time.astimezone(zone or time.tzinfo):%Y-%m-%d %H:%M %Z}"


def age(since: datetime, now: datetime) -> str:
    """How long ago, in whole days, below two days hours, below two hours minutes: "21 days"."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    if minutes < 120:
        return count(minutes, "minute")
    hours = minutes // 60
    return count(hours // 24, "day") if hours >= 48 else count(hours, "hour")
