"""What came of a retraining: one row per class, and the whole as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from patchae.errors import ClassFailed
from patchae.registry.chain import Entry
from patchae.registry.verdict import Verdict
from patchae.registry.wording import explain
from patchae.steps.job import ClassJob
from patchae.types import DataVersion


@dataclass(frozen=True)
class ClassOutcome:
    """What came of one class. A failed one has `failed` and nothing of a model."""

    class_name: str
    model: str
    version: str | None = None
    trained: bool = False
    """Whether it was trained now, rather than found."""
    image_auroc: float | None = None
    pixel_auroc: float | None = None
    threshold: float | None = None
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    because: str = ""
    """The reasons in words."""
    failed: str | None = None

    @property
    def sentence(self) -> str:
        """The row as one line for people."""
        if self.failed is not None:
            return f"{self.class_name}: failed: {self.failed}"
        again = "" if self.trained else " (not trained again)"
        return f"{self.class_name}: {self.verdict}, version {self.version}{again}: {self.because}"

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON values, as `docs/json.md` documents it."""
        return {
            "class": self.class_name,
            "model": self.model,
            "version": self.version,
            "trained": self.trained,
            "image_auroc": self.image_auroc,
            "pixel_auroc": self.pixel_auroc,
            "threshold": self.threshold,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "failed": self.failed,
        }


@dataclass(frozen=True)
class LineOutcome:
    """What came of one line."""

    line: str
    data_version: DataVersion
    classes: tuple[ClassOutcome, ...]
    report: str | None
    """Path of the report."""
    seconds: float

    @property
    def failed(self) -> tuple[ClassOutcome, ...]:
        """The classes that could not be finished."""
        return tuple(one for one in self.classes if one.failed is not None)

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON values, as `docs/json.md` documents it."""
        return {
            "line": self.line,
            "data_version": self.data_version,
            "models": [one.to_dict() for one in self.classes],
            "report": self.report,
            "seconds": round(self.seconds, 1),
        }


class LineFailed(ClassFailed):
    """One or more classes of a line could not be finished; the others were."""

    def __init__(self, outcome: LineOutcome) -> None:
        self.outcome = outcome
        names = ", ".join(one.class_name for one in outcome.failed)
        super().__init__(
            f"line '{outcome.line}': {len(outcome.failed)} of {len(outcome.classes)} classes"
            f" failed: {names}",
            mend="mend what is named for each, then run the same command again:"
            " what is finished is not done twice",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return LineFailed, (self.outcome,)


def judged(
    job: ClassJob, metrics: dict[str, Any], verdict: Entry, *, trained: bool
) -> ClassOutcome:
    """The outcome of a class that went through the gate."""
    told = Verdict.from_body(verdict.body)
    return ClassOutcome(
        class_name=job.class_name,
        model=job.model,
        version=verdict.body["version"],
        trained=trained,
        image_auroc=metrics.get("image_auroc"),
        pixel_auroc=metrics.get("pixel_auroc"),
        threshold=metrics.get("threshold"),
        verdict=told.outcome,
        reasons=tuple(reason.value for reason in told.reasons),
        because=explain(told),
    )
