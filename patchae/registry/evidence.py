"""What a verdict rests on: counts, ranks and facts, small enough for the ledger.

Everything that the images showed is kept as counts and scatter, not as intervals, so that another
policy can be asked about the same evidence (`patchae gate --policy`) without the images, and an
audit can make the evidence again from the scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from patchae.evidence.auroc import Measured
from patchae.evidence.counts import share_interval
from patchae.evidence.paired import Paired
from patchae.evidence.scores import Scored
from patchae.registry.operating import Operating


@dataclass(frozen=True)
class Alarms:
    """How many of `n` images raised an alarm."""

    found: int
    n: int

    @property
    def share(self) -> float | None:
        """0..1; None without images."""
        return self.found / self.n if self.n else None

    def interval(self, confidence: float) -> tuple[float, float]:
        """Between which values (low, high) the share of all such images lies, 0..1."""
        return share_interval(self.found, self.n, confidence) if self.n else (0.0, 1.0)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Rival(_Part):
    """The champion on the test images of today, never by its old number."""

    version: str
    paired: Paired | None
    """Both models on these images; None: not scored, or fewer than 2 images of a kind."""
    image_auroc_then: float | None
    """What it reached when it was judged."""
    same_images: bool | None
    """Whether it was judged on these very images; None: not known."""
    data_recorded: str | None
    """When its data version was made (ISO 8601); None: not known."""
    problem: str
    """Why it could not be scored; empty: it was."""


class Evidence(_Part):
    """Everything that the gate looks at. `n_good` and `n_defect` count test images."""

    n_good: int = Field(ge=0)
    n_defect: int = Field(ge=0)
    image_auroc: Measured | None
    """None: fewer than 2 good or 2 defective images."""
    false_alarms: Alarms
    recall: dict[str, Alarms]
    """By kind of defect."""
    ms_per_image: float | None
    validation_passed: bool
    lineage_complete: bool
    data_recorded: str | None
    """When the data version was made (ISO 8601); None: not known."""
    champion: Rival | None
    promised: float | None = None
    """The share of false alarms that the threshold was asked to allow; None: from before it was
    noted."""
    operating: tuple[Operating, ...] = ()
    """Other thresholds; for the eye, not for the gate."""
    seeds: dict[str, float]
    """Image AUROC by seed, of trainings that differ in nothing else; for the eye, not for the gate:
    an interval says what other images could do, this what another seed could."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evidence:
        """The evidence that `to_dict` wrote.

        Raises:
            ValueError: a key is missing, unknown, or holds another type.
        """
        return cls.model_validate_json(json.dumps(dict(content)))


def evidence_of(
    rows: Sequence[Scored],
    *,
    champion: Rival | None,
    ms_per_image: float | None,
    validation_passed: bool,
    lineage_complete: bool,
    data_recorded: str | None,
    promised: float | None = None,
    operating: Sequence[Operating] = (),
    seeds: Mapping[str, float] | None = None,
) -> Evidence:
    """The evidence that the scores of a model give, with the facts that are no scores."""
    labels, scores = [row.label for row in rows], [row.score for row in rows]
    n_defect = sum(labels)
    recall: dict[str, Alarms] = {}
    for kind in sorted({row.defect for row in rows if row.label}):
        recall[kind] = _alarms([row for row in rows if row.label and row.defect == kind])
    return Evidence(
        n_good=len(rows) - n_defect,
        n_defect=n_defect,
        image_auroc=_measured(labels, scores),
        false_alarms=_alarms([row for row in rows if not row.label]),
        recall=recall,
        ms_per_image=ms_per_image,
        validation_passed=validation_passed,
        lineage_complete=lineage_complete,
        data_recorded=data_recorded,
        champion=champion,
        promised=promised,
        operating=tuple(operating),
        seeds=dict(seeds or {}),
    )


def intervals(rows: Sequence[Scored], confidence: float = 0.95) -> dict[str, list[float] | None]:
    """The intervals of a lineage record that scores give: image AUROC, recall, false alarms."""
    labels, scores = [row.label for row in rows], [row.score for row in rows]
    auroc = _measured(labels, scores)
    found = _alarms([row for row in rows if row.label])
    false = _alarms([row for row in rows if not row.label])
    return {
        "image_auroc_interval": list(auroc.interval(confidence)) if auroc else None,
        "recall_interval": list(found.interval(confidence)) if found.n else None,
        "false_alarm_rate_interval": list(false.interval(confidence)) if false.n else None,
    }


def rival_of(
    version: str,
    rows: Sequence[Scored],
    own: Sequence[Scored],
    *,
    then: Sequence[Scored] | None,
    data_recorded: str | None,
) -> Rival:
    """The champion beside the model that is judged.

    Args:
        version: of the champion.
        rows: the scores of the model that is judged.
        own: the champion's scores of the same images.
        then: the champion's scores from when it was judged; None: they are not known.
        data_recorded: when the champion's data version was made.

    Raises:
        ValueError: the two have scores of different images.
    """
    of = {row.path: row for row in own}
    if len(own) != len(rows) or any(
        row.path not in of or of[row.path].sha256 != row.sha256 for row in rows
    ):
        raise ValueError("the champion was scored on other images")
    labels, scores = [row.label for row in rows], [row.score for row in rows]
    rival = [of[row.path].score for row in rows]
    old = _measured([row.label for row in then], [row.score for row in then]) if then else None
    return Rival(
        version=version,
        paired=Paired.of(labels, scores, rival) if _enough(labels) else None,
        image_auroc_then=old.auroc if old else None,
        same_images=None if then is None else _images(then) == _images(own),
        data_recorded=data_recorded,
        problem="",
    )


def unscored_rival(version: str, problem: str) -> Rival:
    """A champion that cannot be scored on the images of today, and why."""
    return Rival(
        version=version,
        paired=None,
        image_auroc_then=None,
        same_images=None,
        data_recorded=None,
        problem=problem,
    )


def _enough(labels: Sequence[int]) -> bool:
    return min(sum(labels), len(labels) - sum(labels)) >= 2


def _measured(labels: Sequence[int], scores: Sequence[float]) -> Measured | None:
    return Measured.of(labels, scores) if _enough(labels) else None


def _alarms(rows: Sequence[Scored]) -> Alarms:
    return Alarms(sum(row.decision for row in rows), len(rows))


def _images(rows: Sequence[Scored]) -> set[tuple[str, int]]:
    return {(row.sha256, row.label) for row in rows}
