"""Renders a line's report as one HTML page that works from a file, with no network and no script.

`render` is a pure function: equal reports give equal bytes. Every text is escaped, and the page
carries a content security policy under which a browser would refuse to load anything from outside
even if a text slipped through.
"""

from __future__ import annotations

import base64
import struct
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from patchae.evidence.counts import share_interval
from patchae.files import write_text
from patchae.report import templating, text
from patchae.report.charts import histogram_svg, roc_svg
from patchae.report.content import ClassReport, LineReport, LinkState, ModelReport, Outcome, State

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

WRONG_SHOWN = 30
"""Wrong decisions that are listed; `scores.csv` of the run has all of them."""

WORDS: dict[State | LinkState, str] = {
    "promoted": "Promoted",
    "held": "On hold",
    "rejected": "Rejected",
    "failed": "Failed",
    "untrained": "Not judged",
    "holds": "Holds",
    "broken": "Broken",
    "unknown": "Not proven",
}
"""The word beside the shape of every state."""

SET_BY = {
    "trained": "training, on calibration images",
    "calibration": "calibration images",
    "test_images": "the test images themselves",
    "moved": "a person",
}
"""What set a threshold of the operating table."""

_DEPLOYED: dict[Outcome, str] = {
    "promote": "passed its gates and is deployed.",
    "hold": "was put on hold, yet is deployed.",
    "reject": "was rejected, yet is deployed.",
}
_NOT_DEPLOYED: dict[Outcome, str] = {
    "promote": "passed its gates, but is not deployed now.",
    "hold": "is on hold: the evidence is too thin to decide.",
    "reject": "was rejected.",
}


def render(report: LineReport, *, home: bool = False, images: bool = False) -> str:
    """The whole page.

    Args:
        report: what it shows.
        home: whether the pages over all lines lie in the folder above.
        images: whether the page of validation lies beside it.

    Raises:
        ValueError: a time has no zone, or a version's scores cannot be drawn.
    """
    page = (
        _environment(report)
        .get_template("page.html.j2")
        .render(report=report, up="../" if home else None, here="", images=images)
    )
    # File names can hold what UTF-8 cannot (undecodable bytes): shown as "?", never an error.
    return page.encode("utf-8", "replace").decode()


def write(report: LineReport, path: Path) -> Path:
    """Render the page and write it in one step. Returns the path."""
    write_text(path, render(report))
    return path


def headline(item: ClassReport) -> str:
    """What became of a class and what is deployed now, in two sentences or three."""
    deployed = f"Version {item.champion} is deployed." if item.champion else "Nothing is deployed."
    if item.failed is not None:
        return f"The last run could not finish this class. {deployed}"
    judged = item.judged
    if judged is None:
        return f"No version has been judged yet. {deployed}"
    odd = f"has the verdict '{judged.outcome}'"  # of an altered row
    unread = "" if item.candidate else " Its evidence cannot be read."
    if judged.version == item.champion:
        became = _DEPLOYED.get(judged.outcome, f"{odd}, yet is deployed.")
        return f"Version {judged.version} {became}{unread}"
    became = _NOT_DEPLOYED.get(judged.outcome, f"{odd}.")
    return f"Version {judged.version} {became}{unread} {deployed}"


def _environment(report: LineReport) -> Environment:
    made = templating.environment()
    made.filters.update(
        age=lambda time: text.age(time, report.generated),
        anchor=lambda name: "class-" + quote(name, safe="", errors="replace"),
        auroc=text.auroc,
        auroc_interval=lambda limits: text.interval(limits, text.auroc),
        href=lambda name: quote(name, errors="replace"),
        data_uri=lambda png: "data:image/png;base64," + base64.b64encode(png).decode(),
        number=text.number,
        percent=text.percent,
        percent_interval=lambda limits: text.interval(limits, text.percent),
        size=_png_size,
        web=lambda url: url if url and url.startswith(("http://", "https://")) else None,
        when=lambda time: _time(time, report.generated),
    )
    made.globals.update(
        SET_BY=SET_BY,
        WORDS=WORDS,
        WRONG_SHOWN=WRONG_SHOWN,
        charts=_charts,
        count=text.count,
        headline=headline,
        missed=share_interval,
        pair=text.pair,
    )
    return made


def _time(time: datetime, generated: datetime) -> Markup:
    """A time in the zone of the report, readable by machines too."""
    from markupsafe import Markup

    said = text.when(time, generated.tzinfo)
    return Markup('<time datetime="{}">{}</time>').format(time.isoformat(), said)


def _charts(model: ModelReport, class_name: str) -> list[Markup]:
    from markupsafe import Markup

    of = f"{class_name}, version {model.version}"
    labels = [score.label for score in model.scores]
    scores = [score.score for score in model.scores]
    drawn = (
        roc_svg(labels, scores, title=f"ROC curve: {of}", threshold=model.threshold),
        histogram_svg(labels, scores, model.threshold, title=f"Scores: {of}"),
    )
    return [Markup(chart) for chart in drawn]  # noqa: S704 - charts escape what they are given


def _png_size(png: bytes) -> tuple[int, int] | None:
    """Width and height in px from a PNG's header, so that nothing jumps while the page loads."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        return None
    width, height = struct.unpack(">II", png[16:24])
    return width, height
