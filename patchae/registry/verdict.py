"""Verdicts as values: outcome, reasons and findings, as the ledger keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, cast, get_args

Outcome = Literal["promote", "hold", "reject"]
"""`hold`: the evidence is too thin to decide."""


class Reason(StrEnum):
    """Why a verdict is what it is. The codes are stable; `MEANING` says what each one means."""

    AUROC_REACHES_MINIMUM = "auroc_reaches_minimum"
    FIRST_CHAMPION = "first_champion"
    NOT_WORSE_THAN_CHAMPION = "not_worse_than_champion"
    RECALL_REACHES_MINIMUM = "recall_reaches_minimum"
    FEW_FALSE_ALARMS = "few_false_alarms"
    AGREES_WITH_PROMISE = "agrees_with_promise"
    FAST_ENOUGH = "fast_enough"

    TOO_FEW_TEST_IMAGES = "too_few_test_images"
    AUROC_UNCERTAIN = "auroc_uncertain"
    COMPARISON_UNCERTAIN = "comparison_uncertain"
    CHAMPION_NOT_COMPARABLE = "champion_not_comparable"
    RECALL_UNCERTAIN = "recall_uncertain"
    FALSE_ALARMS_UNCERTAIN = "false_alarms_uncertain"
    PROMISE_NOT_KEPT = "promise_not_kept"

    VALIDATION_FAILED = "validation_failed"
    LINEAGE_INCOMPLETE = "lineage_incomplete"
    OLDER_DATA = "older_data"
    AUROC_BELOW_MINIMUM = "auroc_below_minimum"
    WORSE_THAN_CHAMPION = "worse_than_champion"
    RECALL_BELOW_MINIMUM = "recall_below_minimum"
    TOO_MANY_FALSE_ALARMS = "too_many_false_alarms"
    TOO_SLOW = "too_slow"


AUROC = (Reason.AUROC_REACHES_MINIMUM, Reason.AUROC_UNCERTAIN, Reason.AUROC_BELOW_MINIMUM)
BESIDE = (
    Reason.NOT_WORSE_THAN_CHAMPION,
    Reason.COMPARISON_UNCERTAIN,
    Reason.WORSE_THAN_CHAMPION,
)
RECALL = (Reason.RECALL_REACHES_MINIMUM, Reason.RECALL_UNCERTAIN, Reason.RECALL_BELOW_MINIMUM)
ALARMS = (Reason.FEW_FALSE_ALARMS, Reason.FALSE_ALARMS_UNCERTAIN, Reason.TOO_MANY_FALSE_ALARMS)
# What each criterion says of a limit: kept, not certain, broken.
PROMISE = (Reason.AGREES_WITH_PROMISE, Reason.PROMISE_NOT_KEPT)

MEANING: dict[Reason, str] = {
    Reason.AUROC_REACHES_MINIMUM: (
        "The interval of its image AUROC lies at `min_image_auroc` or above."
    ),
    Reason.FIRST_CHAMPION: "There is no champion to compare it with.",
    Reason.NOT_WORSE_THAN_CHAMPION: (
        "The interval of its difference to the champion, on the same images, keeps `max_drop`."
    ),
    Reason.RECALL_REACHES_MINIMUM: (
        "The interval of the share of a kind of defect that it finds reaches `min_recall`."
    ),
    Reason.FEW_FALSE_ALARMS: "The interval of its false-alarm rate keeps `max_false_alarms`.",
    Reason.AGREES_WITH_PROMISE: (
        "The interval of its false-alarm rate holds the promised `false_alarm_rate`, or lies below."
    ),
    Reason.FAST_ENOUGH: "An image took at most `max_ms_per_image`.",
    Reason.TOO_FEW_TEST_IMAGES: (
        "There are fewer test images than `min_test_good` or `min_test_defect`."
    ),
    Reason.AUROC_UNCERTAIN: (
        "`min_image_auroc` lies within the interval of its image AUROC, or it has none."
    ),
    Reason.COMPARISON_UNCERTAIN: (
        "`max_drop` lies within the interval of its difference to the champion."
    ),
    Reason.CHAMPION_NOT_COMPARABLE: "The champion cannot be scored on the images of today.",
    Reason.RECALL_UNCERTAIN: (
        "`min_recall` lies within the interval of the share of a kind of defect that it finds."
    ),
    Reason.FALSE_ALARMS_UNCERTAIN: (
        "`max_false_alarms` lies within the interval of its false-alarm rate."
    ),
    Reason.PROMISE_NOT_KEPT: (
        "The interval of its false-alarm rate lies above the promised `false_alarm_rate`."
    ),
    Reason.VALIDATION_FAILED: "The images of its class did not pass validation.",
    Reason.LINEAGE_INCOMPLETE: "Its lineage record does not say everything that made it.",
    Reason.OLDER_DATA: "Its data version is older than the champion's.",
    Reason.AUROC_BELOW_MINIMUM: "The interval of its image AUROC lies below `min_image_auroc`.",
    Reason.WORSE_THAN_CHAMPION: (
        "The interval of its difference to the champion lies wholly beyond `max_drop`."
    ),
    Reason.RECALL_BELOW_MINIMUM: (
        "The interval of the share of a kind of defect that it finds lies below `min_recall`."
    ),
    Reason.TOO_MANY_FALSE_ALARMS: (
        "The interval of its false-alarm rate lies above `max_false_alarms`."
    ),
    Reason.TOO_SLOW: "An image took more than `max_ms_per_image`.",
}
"""One sentence on each reason; the table in `docs/gates.md` holds the same ones."""


@dataclass(frozen=True)
class Finding:
    """What one criterion says, with what it says it from. A number that does not apply is None."""

    reason: Reason
    outcome: Outcome
    limit: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """Ends of the interval of `value`."""
    n_good: int | None = None
    n_defect: int | None = None
    """Images that it was measured on."""
    more_good: int | None = None
    more_defect: int | None = None
    """Of a `hold`: so many more images would decide; None: no number of them would."""
    about: str | None = None
    """The champion's version, or the kind of defect."""


@dataclass(frozen=True)
class Verdict:
    """An outcome, every reason for it, and what it was decided from, as JSON values."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    """Of every criterion that was asked, those that were kept among them."""
    evidence: dict[str, Any]
    policy: dict[str, Any]

    @property
    def decisive(self) -> tuple[Finding, ...]:
        """The findings that made the outcome."""
        return tuple(
            one
            for one in self.findings
            if one.outcome == self.outcome and one.reason in self.reasons
        )

    def to_body(
        self,
        version: str,
        *,
        scores_sha256: str,
        champion_scores_sha256: str | None = None,
        data_version: str | None = None,
    ) -> dict[str, Any]:
        """The body of the ledger's row on this verdict.

        `data_version` is the one that it was given on, of which the evidence has the time.
        """
        champion = self.evidence["champion"]
        return {
            "version": version,
            "outcome": self.outcome,
            "reasons": [reason.value for reason in self.reasons],
            "findings": [asdict(finding) for finding in self.findings],
            "evidence": self.evidence,
            "policy": self.policy,
            "champion": champion and champion["version"],
            "data_version": data_version,
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
            findings = tuple(
                Finding(**{**one, "reason": Reason(one["reason"])}) for one in body["findings"]
            )
            evidence, policy = dict(body["evidence"]), dict(body["policy"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the body of a verdict: {error}") from None
        if outcome not in get_args(Outcome):
            raise ValueError(f"outcome: expected promote, hold or reject; found {outcome!r}")
        return cls(cast(Outcome, outcome), reasons, findings, evidence, policy)


def rival_scores_file(champion: str, sha256: str) -> str:
    """Artifact of a judged version that holds the champion's scores of the same images.

    Named by its content, so that judging again never takes away what a verdict rests on.
    """
    return f"champion-{champion}/scores-{sha256[:12]}.csv"
