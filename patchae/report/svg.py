"""The few SVG elements that the charts are made of.

Colours are written as presentation attributes next to a class name: a file shows them as they are,
a page restyles the class names, because CSS outranks presentation attributes. There are no ids, so
any number of charts can stand in one page.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import Literal

WIDTH, HEIGHT = 360, 296
"""Size of a chart in its own units; text of 12 is readable where the chart is 360 px wide."""

COLORS = {
    "ink": "#1b2230",
    "soft": "#566070",
    "grid": "#dfe3ea",
    "good": "#2763b0",
    "defect": "#b5480f",
}
"""Contrast on white paper is at least 4.5 for everything but the grid."""

Anchor = Literal["start", "middle", "end"]

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def chart(title: str, summary: str, parts: Iterable[str]) -> str:
    """A whole chart; title and summary together are its text alternative."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" '
        f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12" '
        f'aria-label="{escape(f"{title}. {summary}")}">'
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff"/>'
        f"{text(12, 20, escape(title), 'start', 'ink', size=13, bold=True)}"
        f"{''.join(parts)}</svg>"
    )


def escape(words: str) -> str:
    """Words for text or a quoted attribute; what XML cannot hold becomes U+FFFD."""
    return html.escape(_NOT_XML.sub("\ufffd", words))


def text(
    x: float,
    y: float,
    markup: str,
    anchor: Anchor = "middle",
    kind: str = "soft",
    *,
    size: int | None = None,
    bold: bool = False,
    turned: bool = False,
) -> str:
    """Escaped words (they may hold a `tspan`) with their baseline at (x, y)."""
    place = (
        f'transform="translate({n(x)} {n(y)})rotate(-90)"' if turned else f'x="{n(x)}" y="{n(y)}"'
    )
    return (
        f'<text class="{kind}" fill="{COLORS[kind]}" {place}'
        + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        + (f' font-size="{size}"' if size else "")
        + (' font-weight="600"' if bold else "")
        + f">{markup}</text>"
    )


def sign(kind: str, character: str) -> str:
    """A character in the colour of its kind, to stand in a text."""
    return f'<tspan class="{kind}" fill="{COLORS[kind]}">{character}</tspan>'


def stroke(kind: str, path: str, *, width: float = 1.0, dash: str = "") -> str:
    """A line along a path."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path class="{kind}-line" fill="none" stroke="{COLORS[kind]}" stroke-width="{n(width)}"'
        f'{dashes} stroke-linejoin="round" d="{path}"/>'
    )


def fill(kind: str, path: str, *, opacity: float = 1.0) -> str:
    """A filled path; nothing for an empty one."""
    if not path:
        return ""
    pale = f' fill-opacity="{n(opacity)}"' if opacity < 1 else ""
    return f'<path class="{kind}" fill="{COLORS[kind]}"{pale} d="{path}"/>'


def polyline(points: Sequence[tuple[float, float]]) -> str:
    """Path along points."""
    return "M" + "L".join(f"{n(x)} {n(y)}" for x, y in points)


def n(value: float) -> str:
    """A coordinate with at most two decimals and no trailing zeros."""
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def ticks(low: float, high: float, about: int = 5) -> list[tuple[float, str]]:
    """Round numbers within [low, high] and how they are written, close to `about` of them."""
    if not high > low:
        return []
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * 0.999)
    decimals = max(0, -math.floor(math.log10(step * 1.001)))
    values = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    plain = decimals <= 6 and max(abs(low), abs(high)) < 1e6
    return [(value, f"{value:.{decimals}f}" if plain else f"{value:.3g}") for value in values]
