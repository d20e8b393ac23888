"""A model's life as a drawing: time runs to the right, each version has a lane.

A bar is the time for which a version was live; shapes mark what happened to it. Each kind has a
shape of its own, so that none depends on its colour.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from patchae.report.life import Happened, Life, Span
from patchae.report.svg import escape, fill, n, polyline, stroke, text

WIDTH, LEFT, RIGHT = 960, 96, 24
LANE, TOP, FOOT = 30, 12, 30
LANES = 40
"""More versions than this are not drawn: those that were live come first, then the newest."""

_SHAPES: dict[Happened, str] = {
    "registered": "circle",
    "judged": "diamond",
    "retired": "cross",
    "tidied": "dash",
    "threshold": "bar",
}


def timeline_svg(life: Life) -> str:
    """The drawing of a life; empty when nothing has happened yet."""
    if not life.events:
        return ""
    lanes = _lanes(life)
    height = TOP + LANE * len(lanes) + FOOT
    scale = _Scale(life.events[0].time, max(life.generated, life.events[-1].time))
    parts = _grid(life, scale, height)
    for row, version in enumerate(lanes):
        middle = TOP + LANE * row + LANE / 2
        parts.append(text(LEFT - 14, middle + 4, escape(f"version {version}"), "end", "ink"))
        parts.append(stroke("grid", polyline([(LEFT, middle), (WIDTH - RIGHT, middle)])))
        parts += [_bar(span, scale, middle) for span in life.spans if span.version == version]
        parts += [
            _mark(event.what, scale.x(event.time), middle)
            for event in life.events
            if event.version == version and event.what in _SHAPES
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" width="{WIDTH}"'
        f' height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif"'
        f' font-size="12" aria-label="{escape(_summary(life))}">{"".join(parts)}</svg>'
    )


class _Scale:
    """Moments to places."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self.first = first
        self.length = max(last - first, timedelta(seconds=1))

    def x(self, time: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((time - self.first) / self.length)


def _lanes(life: Life) -> list[str]:
    """The versions to draw, the newest on top."""
    lived = {span.version for span in life.spans}
    newest = list(reversed(life.versions))
    chosen = sorted(newest, key=lambda version: version not in lived)[:LANES]
    return [version for version in newest if version in chosen]


def _grid(life: Life, scale: _Scale, height: int) -> list[str]:
    parts = []
    for step in range(5):
        time = scale.first + scale.length * step / 4
        x, bottom = scale.x(time), height - FOOT
        said = _clock(time.astimezone(life.generated.tzinfo), scale.length)
        parts.append(stroke("grid", polyline([(x, TOP - 6), (x, bottom)])))
        parts.append(text(x, bottom + 18, escape(said), "end" if step == 4 else "middle"))
    return parts


def _clock(time: datetime, length: timedelta) -> str:
    if length > timedelta(days=4):
        return f"{time:%Y-%m-%d}"
    return f"{time:%m-%d %H:%M}" if length > timedelta(minutes=10) else f"{time:%H:%M:%S}"


def _bar(span: Span, scale: _Scale, middle: float) -> str:
    start = scale.x(span.since)
    end = scale.x(span.until) if span.until else WIDTH - RIGHT
    end = max(end, start + 3)  # a moment is seen, too
    top, bottom = middle - 7, middle + 7
    return fill("good", polyline([(start, top), (end, top), (end, bottom), (start, bottom)]) + "Z")


def _mark(what: Happened, x: float, y: float) -> str:
    shape = _SHAPES[what]
    if shape == "circle":
        return (
            f'<circle class="mark" cx="{n(x)}" cy="{n(y)}" r="4.5" fill="#fff" stroke="#1b2230"'
            ' stroke-width="1.5"/>'
        )
    if shape == "diamond":
        points = polyline([(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)])
        return f'<path class="mark" d="{points}Z" fill="#fff" stroke="#1b2230" stroke-width="1.5"/>'
    if shape == "bar":
        return stroke("ink", polyline([(x, y - 7), (x, y + 7)]), width=2.5)
    if shape == "dash":
        return stroke("soft", polyline([(x - 6, y), (x + 6, y)]), width=2.5)
    return stroke(
        "defect",
        polyline([(x - 5, y - 5), (x + 5, y + 5)]) + polyline([(x - 5, y + 5), (x + 5, y - 5)]),
        width=2.5,
    )


def _summary(life: Life) -> str:
    live = f"version {life.champion} is live" if life.champion else "none is live"
    return f"Life of {life.model}: {len(life.versions)} versions, {live}"
