"""Which version stands where, as pure projections of the ledger's entries.

Every function takes the entries of ONE model in ledger order (`Ledger.entries(model)`). Entries up
to a moment give the standing at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from patchae.registry.chain import Entry, Kind

CHAMPION = "champion"
PREVIOUS = "previous"
ALIASES = (CHAMPION, PREVIOUS)
"""The aliases in MLflow that follow the ledger; all others are none of its business."""
LEAVING: tuple[Kind, ...] = ("tidied", "retired")
"""The kinds of rows that `to_train_again` reads."""


@dataclass(frozen=True)
class Champion:
    """The version in use and the one that a rollback returns to by default."""

    current: str | None = None
    previous: str | None = None

    def aliases(self) -> dict[str, str]:
        """The aliases that MLflow must show, without those that point at nothing."""
        pairs = ((CHAMPION, self.current), (PREVIOUS, self.previous))
        return {alias: version for alias, version in pairs if version is not None}


@dataclass(frozen=True)
class Period:
    """A time during which a version was champion; times are those of the ledger's rows."""

    version: str
    since: str
    until: str | None
    """None: it still is."""


def champion_of(entries: Iterable[Entry]) -> Champion:
    """The champion and its predecessor after all moves.

    Promotions pile up and a rollback takes them off again, so `previous` never names a version
    that was just rolled back from: after 1, 2, 3 and a rollback the champion is 2 and the
    previous one is 1; a second rollback leads to 1. A rollback to a version that is no longer on
    the pile (3 in this example) puts it back on top. A version that was retired is taken out.
    """
    pile: list[str] = []
    for entry in entries:
        if entry.kind == "retired":
            left = [version for version in pile if version != entry.body["version"]]
            # What it parted may be one version twice, and none is the one before itself.
            pile = [one for one, _ in groupby(left)]
        if entry.kind != "move":
            continue
        to = entry.body["to"]
        if entry.body["why"] == "rolled_back" and to in pile:
            while pile[-1] != to:
                pile.pop()
        else:
            pile.append(to)
    return Champion(
        current=pile[-1] if pile else None, previous=pile[-2] if len(pile) > 1 else None
    )


def until(entries: Iterable[Entry], moment: datetime | None) -> list[Entry]:
    """The entries that stood there at a moment; all of them when it is None."""
    return [
        entry for entry in entries if moment is None or datetime.fromisoformat(entry.time) <= moment
    ]


def moves(entries: Iterable[Entry]) -> list[Entry]:
    """The moves of the alias `champion`, oldest first."""
    return [entry for entry in entries if entry.kind == "move"]


def periods(entries: Iterable[Entry]) -> list[Period]:
    """Which version was champion from when to when, oldest first; the last one still is."""
    made = moves(entries)
    ends = [move.time for move in made[1:]] + [None]
    return [Period(move.body["to"], move.time, end) for move, end in zip(made, ends, strict=False)]


def last_intent(entries: Iterable[Entry]) -> Entry | None:
    """The newest row that meant aliases to be set: a move, or putting back what was moved."""
    found = None
    for entry in entries:
        put_back = entry.kind == "repair" and entry.body["why"] == "put_back"
        if entry.kind == "move" or put_back:
            found = entry
    return found


def settled_by(entries: Iterable[Entry], intent: Entry) -> Entry | None:
    """The row that says that the aliases were set after `intent`; None when none does."""
    for entry in entries:
        repaired = entry.kind == "repair" and entry.body["why"] == "interrupted"
        if (entry.kind == "confirmed" or repaired) and entry.body["move"] == intent.seq:
            return entry
    return None


def is_settled(entries: Iterable[Entry]) -> bool:
    """Whether MLflow was told of the last move, as far as the rows say."""
    known = list(entries)
    intent = last_intent(known)
    return intent is None or settled_by(known, intent) is not None


def thresholds(entries: Iterable[Entry], version: str | None = None) -> list[Entry]:
    """The moves of the threshold of `version`, or of every version, oldest first."""
    return [
        entry
        for entry in entries
        if entry.kind == "threshold" and version in (None, entry.body["version"])
    ]


def threshold_moved(entries: Iterable[Entry], version: str) -> Entry | None:
    """The row that moved the threshold of a version; None: it is the one that training set."""
    rows = thresholds(entries, version)
    return rows[-1] if rows and rows[-1].body["why"] != "reset" else None


def threshold_in_force(entries: Iterable[Entry], version: str) -> float | None:
    """The threshold that a version decides by; None: the one that training set."""
    rows = thresholds(entries, version)
    return float(rows[-1].body["to"]) if rows else None


def retired(entries: Iterable[Entry]) -> set[str]:
    """The versions that are out of use for good."""
    return {entry.body["version"] for entry in entries if entry.kind == "retired"}


def let_go(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The rows by which weights were let go, by version; such a version never was champion."""
    return {entry.body["version"]: entry for entry in entries if entry.kind == "tidied"}


def to_train_again(entries: Iterable[Entry]) -> set[str]:
    """The versions whose training counts as not done: their weights were let go.

    One that a person retired is not made anew under another number.
    """
    known = list(entries)
    return set(let_go(known)) - retired(known)


def former_champions(entries: Iterable[Entry]) -> list[str]:
    """Every version that ever was champion, in the order of their first time."""
    return list(dict.fromkeys(move.body["to"] for move in moves(entries)))


def verdicts(entries: Iterable[Entry], version: str | None = None) -> list[Entry]:
    """The verdicts, oldest first; with `version` only those on that version."""
    return [
        entry
        for entry in entries
        if entry.kind == "verdict" and version in (None, entry.body["version"])
    ]


def last_verdict(entries: Iterable[Entry], version: str | None = None) -> Entry | None:
    """The newest verdict, or the newest on `version`; None when there is none."""
    found = verdicts(entries, version)
    return found[-1] if found else None


def registrations(entries: Iterable[Entry], version: str) -> list[Entry]:
    """The rows on the registration of `version`: one, or none before it was recorded."""
    return [
        entry
        for entry in entries
        if entry.kind == "registered" and entry.body["version"] == version
    ]


def open_promotion(entries: Sequence[Entry], version: str) -> Entry | None:
    """The verdict `promote` that still waits for its move; None when there is none.

    It is there after a crash between the two. Only the newest verdict on a version counts, and none
    on a version that no move may lead to any more, or that is champion: of two runs that registered
    one training, the second may have judged it while the first promoted it.
    """
    if version in retired(entries) or version in let_go(entries):
        return None
    if champion_of(entries).current == version:
        return None
    verdict = last_verdict(entries, version)
    if verdict is None or verdict.body["outcome"] != "promote":
        return None
    used = any(move.body["verdict"] == verdict.seq for move in moves(entries))
    return None if used else verdict
