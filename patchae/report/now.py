"""How each model stands this morning: plain values, and what in them needs attention.

`morning` fills them; the start page and the page of each model show them. What needs attention is
a property, so that no two pages can rank the same facts differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Literal

from patchae.drift.finding import Drift
from patchae.report.content import Audit, Outcome
from patchae.report.week import Traffic

SILENT = timedelta(hours=24)
"""A model that judged images within the last week, but none for so long, is named."""


class Rank(IntEnum):
    """How soon somebody should look; the lowest first."""

    BROKEN = 0
    """What is deployed cannot be trusted."""
    NOTHING_DEPLOYED = 1
    DRIFT = 2
    FAILED = 3
    """The last run could not finish the class."""
    REJECTED = 4
    HELD = 5
    DRIFT_ONCE = 6
    """Something differs; the next look tells whether it stays."""
    SILENT = 7
    CALM = 9


@dataclass(frozen=True)
class Need:
    """One thing that needs attention, in one sentence."""

    rank: Rank
    sentence: str


@dataclass(frozen=True)
class Judged:
    """The last verdict."""

    version: str
    outcome: Outcome
    time: datetime
    words: str
    """Its reasons, as a clause without a full stop."""
    overruled: bool = False
    """Somebody made this very version champion after it."""


@dataclass(frozen=True)
class Looked:
    """A look for drift, and where its page lies."""

    drift: Drift
    page: str | None
    """Relative to the folder of the line's pages; None: it has none."""

    @property
    def state(self) -> Literal["drifted", "once", "steady"]:
        """Confirmed drift, something that was seen once, or neither."""
        if self.drift.confirmed:
            return "drifted"
        return "once" if self.drift.drifted else "steady"

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of what is confirmed, or else of what drifted; the largest effect first."""
        names = self.drift.confirmed
        found = [
            one for one in self.drift.readings if (one.name in names if names else one.drifted)
        ]
        return tuple(one.name for one in sorted(found, key=lambda one: -abs(one.effect)))


@dataclass(frozen=True)
class Failure:
    """Why the last run could not finish a class."""

    time: datetime
    why: str


@dataclass(frozen=True)
class Now:
    """One class of a line as it stands."""

    line: str
    class_name: str
    model: str
    generated: datetime
    champion: str | None = None
    since: datetime | None = None
    """When the champion's present time began."""
    judged: Judged | None = None
    traffic: Traffic | None = None
    """None: no decision was logged in these days."""
    looked: Looked | None = None
    """The last look for drift, at whatever was champion then; None: there was none."""
    audit: Audit | None = None
    """The last audit of the champion; None: it was not audited yet."""
    failure: Failure | None = None

    @property
    def drift(self) -> Looked | None:
        """The last look, if it was one at what is champion now."""
        return self.looked if self.looked and self.looked.drift.version == self.champion else None

    @property
    def rank(self) -> Rank:
        """How soon somebody should look."""
        return min((need.rank for need in self.needs), default=Rank.CALM)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What needs attention, the most urgent first."""
        found = (
            self._broken(),
            self._undeployed(),
            self._drifted(),
            self._failed(),
            self._refused(),
            self._silent(),
        )
        return tuple(sorted((need for need in found if need), key=lambda need: need.rank))

    def _broken(self) -> Need | None:
        if self.audit is None or self.audit.state != "broken":
            return None
        names = ", ".join(link.title for link in self.audit.links if link.state == "broken")
        return Need(
            Rank.BROKEN,
            f"The audit of the deployed version {self.audit.version} does not hold: {names}.",
        )

    def _undeployed(self) -> Need | None:
        if self.champion is not None or self.judged is None:
            return None
        return Need(Rank.NOTHING_DEPLOYED, f"Nothing is deployed. {_refusal(self.judged)}")

    def _drifted(self) -> Need | None:
        look = self.drift
        if look is None or look.state == "steady":
            return None
        moved = look.moved
        names = " and ".join((", ".join(moved[:-1]), moved[-1]) if len(moved) > 1 else moved)
        seen = "the images in a named folder" if look.drift.folder else "recent images"
        differs = (
            f"{names} of {seen} differ{'s' * (len(moved) == 1)} from what version"
            f" {self.champion} was calibrated on"
        )
        if look.state == "once":
            return Need(
                Rank.DRIFT_ONCE, f"Seen once: {differs}; it counts if the next look finds it, too."
            )
        asked = " A retraining was asked for." if look.drift.asked else ""
        return Need(Rank.DRIFT, f"Drift: {differs}.{asked}")

    def _failed(self) -> Need | None:
        if self.failure is None:
            return None
        first = (self.failure.why.strip().splitlines() or ["no reason was given"])[0]
        return Need(Rank.FAILED, f"The last run could not finish this class: {first}")

    def _refused(self) -> Need | None:
        judged = self.judged
        if judged is None or judged.outcome == "promote" or self.champion is None:
            return None  # without a champion it is named above
        rank = Rank.HELD if judged.outcome == "hold" else Rank.REJECTED
        if judged.version != self.champion:
            return Need(rank, f"{_refusal(judged)} Version {self.champion} stays.")
        return None if judged.overruled else Need(rank, _refusal(judged, deployed=True))

    def _silent(self) -> Need | None:
        last = self.traffic.last if self.traffic else None
        if last is None or self.champion is None or self.generated - last < SILENT:
            return None
        return Need(Rank.SILENT, f"No image was judged since {last:%Y-%m-%d %H:%M %Z}.")


def _refusal(judged: Judged, *, deployed: bool = False) -> str:
    became = {
        "promote": "passed its gates",
        "hold": "was put on hold" if deployed else "is on hold",
        "reject": "was rejected",
    }.get(judged.outcome, f"has the verdict '{judged.outcome}'")  # of an altered row
    yet = ", yet is deployed" if deployed else ""
    return f"Version {judged.version} {became}{yet}: {judged.words}."


@dataclass(frozen=True)
class Plant:
    """All lines at one moment."""

    generated: datetime
    models: tuple[Now, ...]
    """What needs attention first."""
    lines: tuple[str, ...]
    data_version: str | None
    patchae_version: str
    rows: int
    """Rows of the ledger."""
    faults: tuple[str, ...]
    """What its verification found; empty: the chain holds."""
    unread: tuple[str, ...] = ()
    """Stores that could not be read for this page, or hold what no line can use: sentences."""

    @property
    def urgent(self) -> tuple[Now, ...]:
        """The models that need attention."""
        return tuple(model for model in self.models if model.needs)

    @property
    def deployed(self) -> int:
        """Number of classes with a deployed model."""
        return sum(model.champion is not None for model in self.models)

    @property
    def unaudited(self) -> int:
        """Deployed versions that were not audited yet."""
        return sum(model.champion is not None and model.audit is None for model in self.models)

    @property
    def images(self) -> int:
        """Images judged in the last `DAYS` days."""
        return sum(model.traffic.images for model in self.models if model.traffic)

    @property
    def alarms(self) -> int:
        """Alarms among them."""
        return sum(model.traffic.alarms for model in self.models if model.traffic)


def in_order(models: list[Now]) -> tuple[Now, ...]:
    """The most urgent first; equals by line and class."""
    return tuple(sorted(models, key=lambda now: (now.rank, now.line, now.class_name)))
