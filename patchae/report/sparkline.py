"""A week of decisions as a drawing the size of a word: images a day, and under it alarms a day.

Both are bars, each row on a scale of its own; the numbers stand beside the drawing and, day by day,
in its text alternative and in the table on the model's page.
"""

from __future__ import annotations

from patchae.report.svg import COLORS, escape, n
from patchae.report.text import percent
from patchae.report.week import Day, Traffic

BAR, GAP = 11, 4
UPPER, LOWER, BETWEEN = 22, 12, 4
RATE_TOP = 0.05
"""The scale of alarms ends here or higher, so that a single alarm does not look like a flood."""


def sparkline_svg(traffic: Traffic, of: str) -> str:
    """The drawing; `of` names the model in its text alternative."""
    most = max((day.images for day in traffic.days), default=0) or 1
    top = max([RATE_TOP, *(day.rate or 0 for day in traffic.days)])
    width = len(traffic.days) * (BAR + GAP) - GAP
    height = UPPER + BETWEEN + LOWER
    parts = []
    for place, day in enumerate(traffic.days):
        x = place * (BAR + GAP)
        parts.append(_bar("good", x, 0, UPPER, day.images / most))
        parts.append(_bar("defect", x, UPPER + BETWEEN, LOWER, (day.rate or 0) / top))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="spark" role="img" width="{width}"'
        f' height="{height}" viewBox="0 0 {width} {height}"'
        f' aria-label="{escape(_summary(traffic, of))}">{"".join(parts)}</svg>'
    )


def _bar(kind: str, x: int, top: int, height: int, share: float) -> str:
    """A bar on a base line, which is seen where there is nothing above it."""
    high = max(1.5, height * share) if share else 0
    base = top + height - 1
    floor = f'<path class="grid" fill="{COLORS["grid"]}" d="M{x} {base}h{BAR}v1h-{BAR}z"/>'
    if not high:
        return floor
    return (
        f'{floor}<path class="{kind}" fill="{COLORS[kind]}"'
        f' d="M{x} {n(top + height - high)}h{BAR}v{n(high)}h-{BAR}z"/>'
    )


def _summary(traffic: Traffic, of: str) -> str:
    return f"Images and alarms a day, {of}. " + "; ".join(_told(day) for day in traffic.days)


def _told(day: Day) -> str:
    if not day.images:
        return f"{day.day:%d %b}: none"
    return f"{day.day:%d %b}: {day.images:,}, {percent(day.rate)} alarms"
