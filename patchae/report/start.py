"""The pages over all lines: where the morning begins, the ledger, and the audits.

Pure functions of values: what they show was gathered by `morning`. They link to no page that is not
among `pages`, the relative addresses of those that there are; None: all are there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from patchae.registry.chain import Entry
from patchae.report.life import WORDS as EVENTS
from patchae.report.life import Event, event_of
from patchae.report.now import Now, Plant
from patchae.report.rendering import page
from patchae.report.rows import readable
from patchae.report.sparkline import sparkline_svg

if TYPE_CHECKING:
    from markupsafe import Markup

START, LEDGER, AUDITS = "index.html", "ledger.html", "audits.html"
ROWS = 200
"""The newest rows of the ledger that its page shows; `patchae ledger export` writes all."""


def start_page(plant: Plant, pages: Collection[str] | None = None) -> str:
    """What one opens first: what needs attention, then every class of every line."""
    return page(
        "start.html.j2", plant.generated, plant=plant, spark=spark, pages=pages, here=START, up=""
    )


def ledger_page(
    plant: Plant, entries: Sequence[Entry], pages: Collection[str] | None = None
) -> str:
    """The newest rows of the ledger, and whether its chain holds."""
    told = readable(entries)
    by_model: dict[str, list[Entry]] = {}
    for entry in told:
        by_model.setdefault(entry.model, []).append(entry)
    newest = told[-ROWS:][::-1]
    events: list[tuple[Entry, Event]] = [
        (entry, event) for entry in newest if (event := event_of(entry, by_model[entry.model]))
    ]
    known = {model.model: model for model in plant.models}
    return page(
        "ledger.html.j2",
        plant.generated,
        plant=plant,
        rows=events,
        known=known,
        EVENTS=EVENTS,
        pages=pages,
        here=LEDGER,
        up="",
    )


def audits_page(plant: Plant, pages: Collection[str] | None = None) -> str:
    """The last audit of everything that is deployed, and the command that makes it again."""
    order = {"broken": 0, "unknown": 2, "holds": 3}
    models = sorted(
        (model for model in plant.models if model.champion),
        key=lambda now: (order[now.audit.state] if now.audit else 1, now.model),
    )
    return page(
        "audits.html.j2",
        plant.generated,
        plant=plant,
        models=models,
        pages=pages,
        here=AUDITS,
        up="",
    )


def spark(model: Now) -> Markup:
    """The week of a model as a drawing; empty when it decided nothing."""
    from markupsafe import Markup

    if model.traffic is None:
        return Markup("")
    drawn = sparkline_svg(model.traffic, model.model)
    return Markup(drawn)  # noqa: S704 - it escapes what it is given
