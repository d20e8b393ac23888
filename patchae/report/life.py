"""The life of one model as a page: what happened to which version, and which was live when.

Everything is read off the rows of the ledger; nothing else is asked. `life_of` makes values of
them, `render` a page that works from a file: equal rows and moments give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from patchae.registry.chain import Entry
from patchae.registry.standing import moves
from patchae.registry.wording import explain_row
from patchae.report.rows import readable

if TYPE_CHECKING:
    from patchae.report.now import Now

What = Literal["registered", "judged", "promoted", "overridden", "rolled_back", "adopted"]
Happened = What | Literal["put_back", "finished", "retired", "tidied", "threshold"]

WORDS: dict[Happened, str] = {
    "registered": "Registered",
    "judged": "Judged",
    "promoted": "Promoted",
    "overridden": "Promoted over a hold",
    "rolled_back": "Rolled back to",
    "adopted": "Adopted from MLflow",
    "put_back": "Aliases put back",
    "finished": "Interrupted move finished",
    "retired": "Retired",
    "tidied": "Weights let go",
    "threshold": "Threshold moved",
}


@dataclass(frozen=True)
class Event:
    """One row of the ledger that people ask about."""

    seq: int
    time: datetime
    what: Happened
    """Or whatever an altered row says."""
    version: str
    actor: str
    host: str
    why: str
    """A verdict's outcome and reasons, or what was given as the reason."""


@dataclass(frozen=True)
class Span:
    """A time during which a version was the champion."""

    version: str
    since: datetime
    until: datetime | None
    """None: it still is."""


@dataclass(frozen=True)
class Life:
    """Everything that the ledger knows of one model."""

    model: str
    generated: datetime
    events: tuple[Event, ...]
    """Oldest first."""
    spans: tuple[Span, ...]
    """Oldest first; one begins where the one before ends."""

    @property
    def champion(self) -> str | None:
        """The version that is live now."""
        return self.spans[-1].version if self.spans else None

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version, in the order in which the ledger met them."""
        return tuple(dict.fromkeys(event.version for event in self.events))


def life_of(model: str, entries: Sequence[Entry], generated: datetime) -> Life:
    """The life of a model.

    Args:
        model: `<line>.<class>`.
        entries: its rows of the ledger, in their order.
        generated: now, with a zone.
    """
    rows = readable(entries)
    found = (event_of(row, rows) for row in rows)
    events = tuple(event for event in found if event)
    return Life(model, generated, events, _spans(moves(rows)))


def render(life: Life, report: str, now: Now | None = None, *, home: bool = False) -> str:
    """The page of a model.

    Args:
        life: what it shows.
        report: file name of the line's report, which it leads back to.
        now: how the model stands, with its decisions, its drift and its last audit; None: the page
            is on the past alone.
        home: whether the pages over all lines lie in the folder above.
    """
    from markupsafe import Markup

    from patchae.report.rendering import page
    from patchae.report.sparkline import sparkline_svg
    from patchae.report.timeline import timeline_svg

    drawn = Markup(timeline_svg(life))  # noqa: S704 - it escapes what it is given
    week = now.traffic if now else None
    return page(
        "life.html.j2",
        life.generated,
        life=life,
        now=now,
        drawn=drawn,
        spark=Markup(sparkline_svg(week, life.model)) if week else "",  # noqa: S704 - likewise
        report=report,
        EVENTS=WORDS,
        up="../" if home else None,
        here="",
    )


def event_of(entry: Entry, entries: Sequence[Entry]) -> Event | None:
    """What a row tells; None for one that only confirms another.

    Args:
        entry: the row, `readable`.
        entries: those of its model.
    """
    body = entry.body
    what: Happened
    if entry.kind == "registered":
        what, version, why = "registered", body["version"], f"MLflow run {body['run_id']}"
    elif entry.kind == "verdict":
        what, version, why = "judged", body["version"], _verdict(entry)
    elif entry.kind == "move":
        what, version, why = body["why"], body["to"], body["reason"]
    elif entry.kind == "retired":
        what, version, why = "retired", body["version"], body["reason"]
    elif entry.kind == "tidied":
        what, version, why = "tidied", body["version"], ", ".join(body["files"])
    elif entry.kind == "threshold":
        what, version = "threshold", body["version"]
        why = f"{body['from']:.6g} to {body['to']:.6g}: {body['reason']}"
    elif entry.kind == "repair":
        what = "put_back" if body["why"] == "put_back" else "finished"
        moved = next((one for one in entries if one.seq == body["move"]), None)
        version, why = moved.body.get("to", "") if moved else "", body["reason"]
    else:
        return None
    return Event(
        entry.seq, datetime.fromisoformat(entry.time), what, version, entry.actor, entry.host, why
    )


def _verdict(row: Entry) -> str:
    return f"{row.body['outcome']}: {explain_row(row.body)}"


def _spans(moved: Sequence[Entry]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for move, after in pairwise([*moved, None]):
        if move is None:
            break
        until = datetime.fromisoformat(after.time) if after else None
        since = datetime.fromisoformat(move.time)
        if spans and spans[-1].version == move.body["to"]:
            since = spans.pop().since
        spans.append(Span(move.body["to"], since, until))
    return tuple(spans)
