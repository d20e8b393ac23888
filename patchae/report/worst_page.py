"""The images of a batch with the highest scores, as one page that works without a network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.files import write_text
from patchae.report import templating, text

if TYPE_CHECKING:
    from patchae.model.detector import PatchAE

MOST = 24


@dataclass(frozen=True)
class Worst:
    """One image."""

    name: str
    score: float
    anomalous: bool
    picture: str
    """Data URI: the image beside its heat map."""


@dataclass(frozen=True)
class Batch:
    """What the page tells."""

    model: str
    version: str
    source: str
    threshold: float
    images: int
    alarms: int
    unreadable: Sequence[tuple[str, str]]
    """Names, and why."""


def picture(detector: PatchAE, path: Path) -> str:
    """An image beside its heat map, as a data URI.

    Raises:
        DataError: it cannot be read any more.
    """
    from patchae.report.heatmaps import heat_map

    (one,) = detector.score([path])
    png = heat_map(path, one.map, detector.threshold, detector.white)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def write_worst_page(file: Path, batch: Batch, worst: Sequence[Worst]) -> None:
    """Write the page in one step."""
    page = (
        templating.environment(
            WORDS={"promoted": "Good", "rejected": "Alarm"},
            count=text.count,
            number=text.number,
            percent=text.percent,
        )
        .get_template("worst.html.j2")
        .render(batch=batch, worst=worst)
    )
    write_text(file, templating.whole(page))
