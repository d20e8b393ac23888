"""The gate: whether a model may become champion, decided from its evidence alone.

    reject    the evidence speaks against it
    hold      the evidence is too thin to decide
    promote   every limit is kept, and the evidence is strong enough to say so

Each criterion gives a finding of its own. Where a number is measured on images, its whole
confidence interval is held against the limit: all of it beyond is kept or broken, a limit within
the interval is not decided, and the finding says how many more images would decide it.

`judge` is a pure function, so that an audit can ask it again years later and must get the same
answer. It fails closed: what is unknown or not a number never promotes.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchae.config import Gates
from patchae.evidence.wanted import to_compare, to_reach, to_share
from patchae.registry.evidence import Alarms, Evidence, Rival
from patchae.registry.verdict import (
    ALARMS,
    AUROC,
    BESIDE,
    PROMISE,
    RECALL,
    Finding,
    Outcome,
    Reason,
    Verdict,
)

_SLACK = 1e-9
# AUROC of n good and m defective images moves in steps of 1/(2nm): far more than this, while
# 0.8 - 0.1 in floating point lies above 0.7.


def judge(evidence: Evidence, gates: Gates) -> Verdict:
    """The verdict on a model: its outcome, with every reason that applies to that outcome.

    What forbids promotion whatever the numbers comes first (`reject`), then whether there are
    enough images for the numbers to mean anything (`hold`), then the numbers: one that breaks its
    limit rejects, else one that is not certain holds.
    """
    forbidden, thin = tuple(_forbidding(evidence, gates)), tuple(_too_few(evidence, gates))
    measured = tuple(_measured(evidence, gates))
    broken = tuple(one for one in measured if one.outcome == "reject")
    uncertain = tuple(one for one in measured if one.outcome == "hold")
    decisive = forbidden or thin or broken or uncertain or measured
    return Verdict(
        outcome=decisive[0].outcome,
        reasons=tuple(dict.fromkeys(one.reason for one in decisive)),
        findings=(*forbidden, *thin, *measured),
        evidence=evidence.to_dict(),
        policy=gates.model_dump(mode="json"),
    )


def _forbidding(evidence: Evidence, gates: Gates) -> Iterator[Finding]:
    if not evidence.validation_passed:
        yield Finding(Reason.VALIDATION_FAILED, "reject")
    if not evidence.lineage_complete:
        yield Finding(Reason.LINEAGE_INCOMPLETE, "reject")
    champion = evidence.champion
    if (
        gates.older_data == "reject"
        and champion is not None
        and evidence.data_recorded is not None
        and champion.data_recorded is not None
        and evidence.data_recorded < champion.data_recorded
    ):
        yield Finding(Reason.OLDER_DATA, "reject", about=champion.version)


def _too_few(evidence: Evidence, gates: Gates) -> Iterator[Finding]:
    good = max(0, gates.min_test_good - evidence.n_good)
    defect = max(0, gates.min_test_defect - evidence.n_defect)
    if good or defect:
        yield Finding(
            Reason.TOO_FEW_TEST_IMAGES,
            "hold",
            n_good=evidence.n_good,
            n_defect=evidence.n_defect,
            more_good=good,
            more_defect=defect,
        )


def _measured(evidence: Evidence, gates: Gates) -> Iterator[Finding]:
    yield _auroc(evidence, gates)
    yield _beside(evidence, evidence.champion, gates)
    yield from _recall(evidence, gates)
    yield from _false_alarms(evidence.false_alarms, gates)
    yield from _promise(evidence, gates)
    if gates.max_ms_per_image is not None:
        took = evidence.ms_per_image
        fast = took is not None and took <= gates.max_ms_per_image
        yield Finding(
            Reason.FAST_ENOUGH if fast else Reason.TOO_SLOW,
            "promote" if fast else "reject",
            limit=gates.max_ms_per_image,
            value=took,
        )


def _auroc(evidence: Evidence, gates: Gates) -> Finding:
    limit, found = gates.min_image_auroc, evidence.image_auroc
    n, m = evidence.n_good, evidence.n_defect
    if found is None:
        return Finding(Reason.AUROC_UNCERTAIN, "hold", limit=limit, n_good=n, n_defect=m)
    low, high = found.interval(gates.confidence)
    outcome, reason = _held(low, high, limit, AUROC)
    more = to_reach(found, limit, gates.confidence) if outcome == "hold" else None
    good, defect = more if more else (None, None)
    return Finding(reason, outcome, limit, found.auroc, low, high, n, m, good, defect)


def _beside(evidence: Evidence, champion: Rival | None, gates: Gates) -> Finding:
    if champion is None:
        return Finding(Reason.FIRST_CHAMPION, "promote")
    limit, about, found = -gates.max_drop, champion.version, champion.paired
    n, m = evidence.n_good, evidence.n_defect
    if found is None:
        unscored = Reason.CHAMPION_NOT_COMPARABLE if champion.problem else BESIDE[1]
        return Finding(unscored, "hold", limit=limit, n_good=n, n_defect=m, about=about)
    low, high = found.interval(gates.confidence)
    outcome, reason = _held(low, high, limit, BESIDE)
    more = to_compare(found, limit, gates.confidence) if outcome == "hold" else None
    good, defect = more if more else (None, None)
    return Finding(reason, outcome, limit, found.difference, low, high, n, m, good, defect, about)


def _recall(evidence: Evidence, gates: Gates) -> Iterator[Finding]:
    for kind in sorted({*evidence.recall, *gates.min_recall_of}):
        limit = gates.min_recall_of.get(kind, gates.min_recall)
        if limit > 0:
            told = evidence.recall.get(kind, Alarms(0, 0))
            low, high = told.interval(gates.confidence)
            outcome, reason = _held(low, high, limit, RECALL)
            more = _more(outcome, told, limit, gates)
            yield Finding(
                reason, outcome, limit, told.share, low, high, None, told.n, None, more, kind
            )


def _false_alarms(told: Alarms, gates: Gates) -> Iterator[Finding]:
    limit = gates.max_false_alarms
    if limit < 1:
        low, high = told.interval(gates.confidence)
        outcome, reason = _held(-high, -low, -limit, ALARMS)
        more = _more(outcome, told, limit, gates)
        yield Finding(reason, outcome, limit, told.share, low, high, told.n, None, more)


def _promise(evidence: Evidence, gates: Gates) -> Iterator[Finding]:
    """Whether the good test images contradict what calibration promised of them."""
    promised, alarms = evidence.promised, evidence.false_alarms
    if promised is None or gates.broken_promise == "allow" or not alarms.n:
        return
    low, high = alarms.interval(gates.confidence)
    broken = low > promised + _SLACK
    outcome: Outcome = gates.broken_promise if broken else "promote"
    yield Finding(PROMISE[broken], outcome, promised, alarms.share, low, high, alarms.n)


def _more(outcome: Outcome, told: Alarms, limit: float, gates: Gates) -> int | None:
    return to_share(told.found, told.n, limit, gates.confidence) if outcome == "hold" else None


def _held(
    low: float, high: float, limit: float, reasons: tuple[Reason, Reason, Reason]
) -> tuple[Outcome, Reason]:
    """What an interval says of a limit that it must not lie below; not a number: not certain."""
    kept, uncertain, broken = reasons
    if low >= limit - _SLACK:
        return "promote", kept
    if high < limit - _SLACK:
        return "reject", broken
    return "hold", uncertain
