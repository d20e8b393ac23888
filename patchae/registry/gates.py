"""The gate: whether a model may become champion, decided from its evidence alone.

`judge` is a pure function, so that an audit can ask it again years later and must get the same
answer. It fails closed: what is unknown or not a number never promotes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, cast, get_args

from patchae.config import Gates

Outcome = Literal["promote", "hold", "reject"]
"""`hold`: the evidence is too thin to decide."""

_SLACK = 1e-9
# AUROC of n good and m defective images moves in steps of 1/(2nm): far more than this, while
# 0.8 - 0.1 in floating point lies above 0.7.


class Reason(StrEnum):
    """Why a verdict is what it is. The codes are stable; `MEANING` says what each one means."""

    FIRST_CHAMPION = "first_champion"
    AT_LEAST_AS_GOOD_AS_CHAMPION = "at_least_as_good_as_champion"
    AUROC_BELOW_MINIMUM = "auroc_below_minimum"
    WORSE_THAN_CHAMPION = "worse_than_champion"
    VALIDATION_FAILED = "validation_failed"
    LINEAGE_INCOMPLETE = "lineage_incomplete"
    TOO_FEW_TEST_IMAGES = "too_few_test_images"


MEANING: dict[Reason, str] = {
    Reason.FIRST_CHAMPION: ("It reaches the minimum and there is no champion to compare it with."),
    Reason.AT_LEAST_AS_GOOD_AS_CHAMPION: (
        "It reaches the minimum and is not below the champion by more than `max_drop`."
    ),
    Reason.AUROC_BELOW_MINIMUM: "Its image AUROC is below `min_image_auroc`.",
    Reason.WORSE_THAN_CHAMPION: (
        "Its image AUROC is below the champion's on the same images by more than `max_drop`."
    ),
    Reason.VALIDATION_FAILED: "The images of its class did not pass validation.",
    Reason.LINEAGE_INCOMPLETE: "Its lineage record does not say everything that made it.",
    Reason.TOO_FEW_TEST_IMAGES: (
        "There are fewer test images than `min_test_good` or `min_test_defect`."
    ),
}
"""One sentence on each reason; the table in `docs/ledger.md` holds the same ones."""


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    `n_good` and `n_defect` count test images. AUROC lies in 0..1, or is NaN where it is
    undefined. `champion` is the version that the model was compared with on the same images, and
    `champion_image_auroc` is what that version reached; both are None when there is no champion.
    """

    n_good: int
    n_defect: int
    image_auroc: float
    champion: str | None
    champion_image_auroc: float | None
    validation_passed: bool
    lineage_complete: bool

    def __post_init__(self) -> None:
        if (self.champion is None) != (self.champion_image_auroc is None):
            raise ValueError("champion and champion_image_auroc: expected both or neither")

    def to_dict(self) -> dict[str, Any]:
        """JSON values; NaN is None, which JSON can say. Not a number remains not a number."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evidence:
        """The evidence that `to_dict` wrote.

        Raises:
            ValueError: a key is missing, unknown, or holds another type.
        """
        numbers = dict(content)
        if numbers.get("image_auroc") is None:
            numbers["image_auroc"] = math.nan
        if numbers.get("champion") is not None and numbers.get("champion_image_auroc") is None:
            numbers["champion_image_auroc"] = math.nan
        try:
            evidence = cls(**numbers)
        except TypeError as error:
            raise ValueError(f"not the evidence of a verdict: {error}") from None
        for name in ("n_good", "n_defect", "image_auroc"):
            if not isinstance(getattr(evidence, name), int | float):
                raise ValueError(f"{name}: expected a number")  # noqa: TRY004 - a wrong document
        return evidence


@dataclass(frozen=True)
class Verdict:
    """An outcome, every reason for it, and what it was decided from, as JSON values."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    evidence: dict[str, Any]
    policy: dict[str, Any]

    def to_body(
        self, version: str, *, scores_sha256: str, champion_scores_sha256: str | None = None
    ) -> dict[str, Any]:
        """The body of the ledger's row on this verdict."""
        return {
            "version": version,
            "outcome": self.outcome,
            "reasons": [reason.value for reason in self.reasons],
            "evidence": self.evidence,
            "policy": self.policy,
            "champion": self.evidence["champion"],
            "scores_sha256": scores_sha256,
            "champion_scores_sha256": champion_scores_sha256,
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Verdict:
        """The verdict in a row of the ledger. Law: `from_body(v.to_body(...)) == v`.

        Raises:
            ValueError: the body is not that of a verdict.
        """
        try:
            outcome, reasons = body["outcome"], tuple(Reason(code) for code in body["reasons"])
            evidence, policy = dict(body["evidence"]), dict(body["policy"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the body of a verdict: {error}") from None
        if outcome not in get_args(Outcome):
            raise ValueError(f"outcome: expected promote, hold or reject; found {outcome!r}")
        return cls(cast(Outcome, outcome), reasons, evidence, policy)


def judge(evidence: Evidence, gates: Gates) -> Verdict:
    """The verdict on a model: its outcome, with every reason that applies to that outcome.

    What forbids promotion whatever the numbers comes first (`reject`), then whether there are
    enough images for the numbers to mean anything (`hold`), then the numbers (`reject`).
    """
    forbidden = _applying(
        (Reason.VALIDATION_FAILED, not evidence.validation_passed),
        (Reason.LINEAGE_INCOMPLETE, not evidence.lineage_complete),
    )
    thin = _applying(
        (
            Reason.TOO_FEW_TEST_IMAGES,
            evidence.n_good < gates.min_test_good or evidence.n_defect < gates.min_test_defect,
        )
    )
    rival = evidence.champion_image_auroc
    weak = _applying(
        (Reason.AUROC_BELOW_MINIMUM, not _reaches(evidence.image_auroc, gates.min_image_auroc)),
        (
            Reason.WORSE_THAN_CHAMPION,
            rival is not None and not _reaches(evidence.image_auroc, rival - gates.max_drop),
        ),
    )
    good = (Reason.FIRST_CHAMPION if rival is None else Reason.AT_LEAST_AS_GOOD_AS_CHAMPION,)
    outcome: Outcome
    if forbidden:
        outcome, reasons = "reject", forbidden
    elif thin:
        outcome, reasons = "hold", thin
    elif weak:
        outcome, reasons = "reject", weak
    else:
        outcome, reasons = "promote", good
    return Verdict(outcome, reasons, evidence.to_dict(), gates.model_dump(mode="json"))


def explain(verdict: Verdict) -> str:
    """One plain sentence with the numbers, without a full stop."""
    return " and ".join(_sentence(reason, verdict) for reason in verdict.reasons)


def _applying(*candidates: tuple[Reason, bool]) -> tuple[Reason, ...]:
    return tuple(reason for reason, applies in candidates if applies)


def _reaches(value: float, bound: float) -> bool:
    return value >= bound - _SLACK  # false for NaN on either side


def _sentence(reason: Reason, verdict: Verdict) -> str:
    evidence, policy = verdict.evidence, verdict.policy
    champion, drop = evidence["champion"], policy["max_drop"]
    own, minimum = _apart(evidence["image_auroc"], policy["min_image_auroc"])
    same, rival = _apart(evidence["image_auroc"], evidence["champion_image_auroc"])
    return {
        Reason.FIRST_CHAMPION: (
            f"image AUROC {own} reaches the minimum {minimum} and there is no champion yet"
        ),
        Reason.AT_LEAST_AS_GOOD_AS_CHAMPION: (
            f"image AUROC {same} holds against {rival} of champion version {champion}"
        ),
        Reason.AUROC_BELOW_MINIMUM: f"image AUROC {own} is below the minimum {minimum}",
        Reason.WORSE_THAN_CHAMPION: (
            f"image AUROC {same} is below {rival} of champion version {champion}"
            + (f" by more than {drop}" if drop else "")
        ),
        Reason.VALIDATION_FAILED: "the images did not pass validation",
        Reason.LINEAGE_INCOMPLETE: "the lineage record is not complete",
        Reason.TOO_FEW_TEST_IMAGES: (
            f"{evidence['n_good']} good and {evidence['n_defect']} defective test images are too"
            f" few to decide; at least {policy['min_test_good']} and"
            f" {policy['min_test_defect']} are needed"
        ),
    }[reason]


def _apart(first: float | None, second: float | None) -> tuple[str, str]:
    # Three digits, or as many as it takes to tell apart two numbers that the gate tells apart.
    digits = 3
    different = first is None or second is None or abs(first - second) > _SLACK
    while different and digits < 10 and _text(first, digits) == _text(second, digits):
        digits += 1
    return _text(first, digits), _text(second, digits)


def _text(value: float | None, digits: int) -> str:
    return "undefined" if value is None else f"{value:.{digits}f}"
