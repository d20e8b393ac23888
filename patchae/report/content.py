"""What a report holds: plain frozen values, filled from MLflow and the ledger by the caller.

Everything that can be derived is a property here, so that a page cannot contradict itself: what
became of a class, how many images were decided wrongly, whether an audit holds. Times are aware
datetimes; the page shows all of them in the zone of `LineReport.generated`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from patchae.evidence.auroc import auroc_interval
from patchae.evidence.counts import share_interval

Interval = tuple[float, float]
"""Lowest and highest value, 0..1, that 95 % confidence leaves; NaN where too little is known."""

Outcome = Literal["promote", "hold", "reject"]
"""Outcome of a verdict, as in `patchae.registry.gates`."""

State = Literal["promoted", "held", "rejected", "failed", "untrained", "unknown"]
"""What became of a class; unknown: an altered row of the ledger says something else."""

LinkState = Literal["holds", "broken", "unknown"]
"""Whether a link of an audit is proven, disproven, or could not be checked."""

_STATE_OF: dict[Outcome, State] = {"promote": "promoted", "hold": "held", "reject": "rejected"}


@dataclass(frozen=True)
class Reason:
    """One reason of a verdict: its stable code and what it means here, in a sentence."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Score:
    """The decision on one test image, as in `scores.csv`."""

    path: str
    """POSIX path relative to `data/`."""
    defect: str
    """Folder of the image: "good" or the kind of defect."""
    label: int
    """1: defective."""
    score: float
    """Anomaly score; higher is more anomalous."""
    decision: int
    """1: alarm (score > threshold)."""

    @property
    def correct(self) -> bool:
        """Whether the decision agrees with the label."""
        return self.label == self.decision


@dataclass(frozen=True)
class HeatMap:
    """A test image worth looking at."""

    score: Score
    rank: Literal["worst", "best"]
    """Worst: farthest on the wrong side of the threshold, or nearest to it; best: the opposite."""
    png: bytes
    """One PNG: the image on the left, its heat map on the right, of equal size."""


@dataclass(frozen=True)
class DefectRecall:
    """How many images of one kind of defect raised an alarm."""

    kind: str
    found: int
    n: int

    @property
    def interval(self) -> Interval:
        """Between which values the recall of this kind lies with 95 % confidence."""
        return share_interval(self.found, self.n)


@dataclass(frozen=True)
class Threshold:
    """What the test images show at one threshold."""

    value: float
    source: Literal["trained", "calibration", "test_images", "moved"]
    promised: float | None
    """Share of false alarms that calibration promises, 0..1; None: it does not."""
    false_alarms: int
    detected: Mapping[str, int]
    """Defective images above it, by kind."""


@dataclass(frozen=True)
class ThresholdMove:
    """The last move of a version's threshold, as in the ledger."""

    time: datetime
    to: float
    actor: str
    reason: str


@dataclass(frozen=True)
class Lineage:
    """Facts of the lineage record (`patchae.lineage/2`) that people ask for first."""

    sha256: str
    """Digest of the whole record."""
    data_version: str
    training_key: str
    backbone: str
    train_good: int
    test_good: int
    test_defect: int
    git_commit: str | None = None
    git_clean: bool | None = None
    patchae_version: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class ModelReport:
    """One judged model version with its evidence. Rates and AUROC lie in 0..1."""

    version: str
    trained: datetime
    image_auroc: float | None
    """None: there are no good or no defective test images."""
    pixel_auroc: float | None
    """None: the class has no masks."""
    pixel_auroc_interval: Interval | None
    aupro: float | None
    """Share of each defect that is found, up to a false-positive rate of pixels of 0.3."""
    aupro_interval: Interval | None
    threshold: float
    recall: float | None
    """None: no defective test images."""
    false_alarm_rate: float | None
    """None: no good test images."""
    n_good: int
    """Good test images."""
    n_defect: int
    """Defective test images."""
    recall_by_defect: tuple[DefectRecall, ...]
    ms_per_image: float
    """Milliseconds for one decoded image by itself."""
    outcome: Outcome
    reasons: tuple[Reason, ...]
    scores: tuple[Score, ...]
    maps: tuple[HeatMap, ...]
    lineage: Lineage
    run_url: str | None = None
    """Address of the MLflow run; only http and https become a link."""
    thresholds: tuple[Threshold, ...] = ()
    """The operating table, the lowest first; empty in verdicts of an older patchae."""
    moved: ThresholdMove | None = None
    """None: the version decides by the threshold that training set."""

    @property
    def in_force(self) -> float:
        """The threshold that the version decides by now."""
        return self.moved.to if self.moved else self.threshold

    @property
    def recall_now(self) -> float | None:
        """Recall at the threshold in force; None: no defective test images."""
        if self.moved is None or not self.n_defect:
            return self.recall
        return sum(self._row.detected.values()) / self.n_defect

    @property
    def false_alarm_rate_now(self) -> float | None:
        """False alarms at the threshold in force, 0..1; None: no good test images."""
        if self.moved is None or not self.n_good:
            return self.false_alarm_rate
        return self._row.false_alarms / self.n_good

    @property
    def _row(self) -> Threshold:
        return next(row for row in self.thresholds if row.value == self.in_force)

    def false_alarms_at(self, row: Threshold) -> Interval:
        """Between which values the false-alarm rate at a threshold lies."""
        return share_interval(row.false_alarms, self.n_good)

    @property
    def image_auroc_interval(self) -> Interval:
        """Where the image AUROC on all such images lies."""
        return auroc_interval(
            [score.label for score in self.scores], [score.score for score in self.scores]
        )

    @property
    def recall_interval(self) -> Interval:
        """Where the recall on all such images lies."""
        return share_interval(self.n_defect - self.missed, self.n_defect)

    @property
    def false_alarm_interval(self) -> Interval:
        """Where the false-alarm rate on all such images lies."""
        return share_interval(self.false_alarms, self.n_good)

    @property
    def wrong(self) -> tuple[Score, ...]:
        """Wrong decisions, the farthest from the threshold first."""
        return tuple(
            sorted(
                (score for score in self.scores if not score.correct),
                key=lambda score: (-abs(score.score - self.threshold), score.path),
            )
        )

    @property
    def missed(self) -> int:
        """Defective images without an alarm."""
        return sum(score.label == 1 and not score.correct for score in self.scores)

    @property
    def false_alarms(self) -> int:
        """Good images with an alarm."""
        return sum(score.label == 0 and not score.correct for score in self.scores)


@dataclass(frozen=True)
class Move:
    """One move of the alias `champion`, as in the ledger."""

    time: datetime
    to: str | None
    before: str | None
    actor: str
    why: str
    """Stable word of the ledger: promoted, rolled_back ..."""
    reason: str
    """Free text of whoever moved it."""


@dataclass(frozen=True)
class AuditLink:
    """One link of the chain from a deployed model back to its images."""

    code: str
    title: str
    state: LinkState
    detail: str


@dataclass(frozen=True)
class Audit:
    """What an audit of one model version found."""

    version: str
    links: tuple[AuditLink, ...]
    time: datetime | None = None
    """When it was made; None: for this very page."""

    @property
    def state(self) -> LinkState:
        """Broken if any link is; else unknown if any is, or there are none; else holds."""
        states = {link.state for link in self.links}
        if "broken" in states:
            return "broken"
        return "holds" if states == {"holds"} else "unknown"


@dataclass(frozen=True)
class Unread:
    """The last verdict as the ledger has it, on a version whose evidence cannot be read."""

    version: str
    outcome: Outcome
    """Or whatever an altered row says."""
    words: str
    """Its reasons, as a clause without a full stop."""


@dataclass(frozen=True)
class ClassReport:
    """One class of a line: what is deployed, what was judged last, and how it came to that."""

    class_name: str
    model: str
    """Registered model, `<line>.<class>`."""
    champion: str | None
    """Deployed version."""
    champion_since: datetime | None
    candidate: ModelReport | None
    """The version judged last; it may be the champion."""
    champion_report: ModelReport | None = None
    """The champion, where it is another version than the candidate."""
    failed: str | None = None
    """Why the class could not be finished in the last run; None: it was."""
    history: tuple[Move, ...] = ()
    """Newest first."""
    audit: Audit | None = None
    """Audit of the champion; None: not audited for this report."""
    life: str | None = None
    """File name of the page on the model's life, beside this one; None: there is none."""
    unread: Unread | None = None
    """The version judged last, where there is no `candidate` since its evidence cannot be read."""

    @property
    def judged(self) -> ModelReport | Unread | None:
        """The version judged last, whichever field holds it."""
        return self.candidate or self.unread

    @property
    def state(self) -> State:
        """What became of the class; a failure outweighs an older verdict."""
        if self.failed is not None:
            return "failed"
        return _STATE_OF.get(self.judged.outcome, "unknown") if self.judged else "untrained"

    @property
    def deployed(self) -> ModelReport | None:
        """Evidence of the champion, whichever field holds it."""
        if self.champion is None:
            return None
        if self.candidate and self.candidate.version == self.champion:
            return self.candidate
        return self.champion_report


@dataclass(frozen=True)
class LineReport:
    """One product line at one moment."""

    line: str
    description: str
    generated: datetime
    data_version: str | None
    """Data version pinned at that moment; None: nothing is pinned."""
    classes: tuple[ClassReport, ...]
    patchae_version: str
    schedule: str | None = None
    """When the line is retrained, in words or as cron with its zone; None: on demand."""

    def count(self, state: State) -> int:
        """Number of classes in a state."""
        return sum(item.state == state for item in self.classes)

    @property
    def champions(self) -> int:
        """Number of classes with a deployed model."""
        return sum(item.champion is not None for item in self.classes)
