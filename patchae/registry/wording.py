"""A verdict in words: one plain sentence with the numbers, for a table, a page and an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patchae.registry.verdict import (
    ALARMS,
    AUROC,
    BESIDE,
    PROMISE,
    RECALL,
    Finding,
    Reason,
    Verdict,
)


def explain(verdict: Verdict) -> str:
    """The reasons of a verdict in one sentence, without a full stop."""
    if not verdict.decisive:  # no gate gives such a verdict; a forged row of the ledger may
        return ", ".join(verdict.reasons) or "no reason is given"
    *clauses, last = (sentence(finding, verdict.evidence) for finding in verdict.decisive)
    if verdict.outcome == "hold":
        return "; ".join((*clauses, last))
    return f"{', '.join(clauses)} and {last}" if clauses else last


def explain_row(body: Mapping[str, Any]) -> str:
    """The same of the body of a row, whatever it holds: somebody altered it, or a newer patchae
    wrote it. What cannot be read is told in its own codes."""
    try:
        return explain(Verdict.from_body(body))
    except (LookupError, TypeError, ValueError, ArithmeticError):
        reasons = body.get("reasons")
        codes = ", ".join(map(str, reasons)) if isinstance(reasons, list) else ""
        return f"its reasons cannot be read{f' ({codes})' if codes else ''}"


def sentence(finding: Finding, evidence: dict[str, object] | None = None) -> str:
    """What one criterion found, as a clause."""
    return _found(finding, evidence or {}) + _wanted(finding)


def _found(finding: Finding, evidence: dict[str, object]) -> str:
    reason, about = finding.reason, finding.about
    if reason in AUROC:
        return _auroc(finding)
    if reason in BESIDE:
        return _beside(finding) + _then(evidence)
    if reason in RECALL:
        return _recall(finding)
    if reason in ALARMS:
        return _alarms(finding)
    if reason in PROMISE:
        return _promise(finding)
    champion = evidence.get("champion")
    problem = champion["problem"] if isinstance(champion, dict) else ""
    return {
        Reason.FIRST_CHAMPION: "there is no champion yet",
        Reason.CHAMPION_NOT_COMPARABLE: (
            f"champion version {about} cannot be compared with: {problem}"
        ),
        Reason.FAST_ENOUGH: f"{_ms(finding.value)} per image keep {_ms(finding.limit)}",
        Reason.TOO_SLOW: f"{_ms(finding.value)} per image are more than {_ms(finding.limit)}",
        Reason.VALIDATION_FAILED: "the images did not pass validation",
        Reason.LINEAGE_INCOMPLETE: "the lineage record is not complete",
        Reason.OLDER_DATA: f"its data version is older than that of champion version {about}",
        Reason.TOO_FEW_TEST_IMAGES: _few(finding),
    }[reason]


def _few(finding: Finding) -> str:
    if finding.n_defect == 0 and finding.n_good:
        return (
            f"{finding.n_good} good test images show false alarms alone: without defective ones"
            " there is no image AUROC, and nothing says what the model finds"
        )
    return (
        f"{finding.n_good} good and {finding.n_defect} defective test images are too few to decide"
    )


def _auroc(finding: Finding) -> str:
    if finding.value is None:
        return (
            f"image AUROC needs 2 good and 2 defective test images; there are {finding.n_good} and"
            f" {finding.n_defect}"
        )
    verb = {"promote": "reaches", "hold": "may lie below", "reject": "lies below"}[finding.outcome]
    limit, value, low, high = _apart(finding)
    return f"image AUROC {value} ({low} to {high}) {verb} {limit}"


def _beside(finding: Finding) -> str:
    margin = f"{-(finding.limit or 0):g}"
    verb = {"promote": "is not", "hold": "may be", "reject": "is"}[finding.outcome]
    told = f"it {verb} worse than champion version {finding.about} by more than {margin}"
    if finding.value is None:
        return told
    _, value, low, high = _apart(finding, signed=True)
    return f"{told} ({value}, {low} to {high})"


def _then(evidence: dict[str, object]) -> str:
    """The champion's old number beside today's, where it was judged on other test images."""
    champion = evidence.get("champion")
    if not isinstance(champion, dict) or champion["same_images"] is not False:
        return ""
    paired, then = champion["paired"], champion["image_auroc_then"]
    if paired is None or then is None:
        return ""
    now = paired["champion"]["auroc"]
    return f"; on its own test images the champion had {then:.3f}, on these it has {now:.3f}"


def _recall(finding: Finding) -> str:
    if finding.value is None:
        return f"no test image shows '{finding.about}', of which {finding.limit:g} must be found"
    verb = {"promote": "reaches", "hold": "may lie below", "reject": "lies below"}[finding.outcome]
    limit, value, low, high = _apart(finding)
    return f"recall of '{finding.about}' {value} ({low} to {high}) {verb} {limit}"


def _alarms(finding: Finding) -> str:
    if finding.value is None:
        return "no good test image shows the false-alarm rate"
    verb = {"promote": "keeps", "hold": "may exceed", "reject": "exceeds"}[finding.outcome]
    limit, value, low, high = _apart(finding)
    return f"false-alarm rate {value} ({low} to {high}) {verb} {limit}"


def _promise(finding: Finding) -> str:
    verb = "agrees with" if finding.reason is Reason.AGREES_WITH_PROMISE else "breaks"
    limit, value, low, high = _apart(finding)
    return f"false-alarm rate {value} ({low} to {high}) {verb} the {limit} that was promised"


def _wanted(finding: Finding) -> str:
    if finding.outcome != "hold" or finding.reason in PROMISE:  # no more images take it back
        return ""
    parts = [
        f"{count} more {what}"
        for count, what in ((finding.more_good, "good"), (finding.more_defect, "defective"))
        if count
    ]
    if finding.reason is Reason.TOO_FEW_TEST_IMAGES:
        return f"; {' and '.join(parts)} are needed"
    if not parts:
        return "; no number of images would decide" if finding.value is not None else ""
    what = f" of '{finding.about}'" if finding.reason in RECALL else ""
    return f"; about {' and '.join(parts)} test images{what} would decide"


def _apart(finding: Finding, *, signed: bool = False) -> tuple[str, str, str, str]:
    """Limit, value and ends, with three digits or as many as tell ends and limit apart."""
    numbers = [finding.limit, finding.value, finding.low, finding.high]
    limit, _, low, high = numbers
    digits = 3
    while digits < 10 and any(
        end is not None
        and limit is not None
        and abs(end - limit) > 1e-9
        and f"{end:.{digits}f}" == f"{limit:.{digits}f}"
        for end in (low, high)
    ):
        digits += 1
    sign = "+" if signed else ""
    texts = ["undefined" if one is None else f"{one:{sign}.{digits}f}" for one in numbers]
    return texts[0], texts[1], texts[2], texts[3]


def _ms(value: float | None) -> str:
    return "unknown milliseconds" if value is None else f"{value:.0f} ms"
