"""Judge a registered version, and make it champion when the verdict says so."""

from __future__ import annotations

from typing import Any

from patchae.errors import AliasMoved, DataError, NegativeFinding, UsageError
from patchae.files import sha256_bytes
from patchae.lineage.record import missing
from patchae.registry.alignment import settle
from patchae.registry.chain import Entry
from patchae.registry.gates import Evidence, Verdict, judge
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_version
from patchae.registry.promotion import promote
from patchae.registry.standing import champion_of, last_verdict, moves, open_promotion
from patchae.registry.tracking import Tracking, Version
from patchae.settings import settings
from patchae.steps.enrol import read_lineage
from patchae.steps.job import ClassJob
from patchae.steps.learn import score_tests, scores_csv

_ATTEMPTS = 3


def decide_class(job: ClassJob, version: Version, tracking: Tracking, ledger: Ledger) -> Entry:
    """The verdict on a version, acted upon; returns its row in the ledger.

    Nothing is judged twice on the same evidence: a version that is champion, or that was judged
    under this policy against this champion, keeps its verdict.

    Raises:
        AliasMoved: an alias was moved in MLflow past the ledger. The version was judged all the
            same, and becomes champion with the next run once the aliases are reconciled.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    # First of all: a crash between a move and its aliases is mended here.
    try:
        settle(ledger, tracking.aliases, job.model, actor=settings().who())
    except AliasMoved:
        _verdict(job, version, tracking, ledger)
        raise
    for attempt in range(_ATTEMPTS):
        verdict = _verdict(job, version, tracking, ledger)
        if open_promotion(ledger.entries(job.model), version.version) != verdict:
            return verdict
        try:
            promote(
                ledger,
                tracking.aliases,
                job.model,
                version.version,
                verdict=verdict,
                actor=settings().who(),
                reason=job.reason,
            )
        except AliasMoved:
            raise
        except NegativeFinding:  # the champion changed meanwhile: the verdict is out of date
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return verdict
    raise AssertionError("unreachable")


def _verdict(job: ClassJob, version: Version, tracking: Tracking, ledger: Ledger) -> Entry:
    entries = ledger.entries(job.model)
    last = last_verdict(entries, version.version)
    champion = champion_of(entries).current
    policy = job.line.gates.model_dump(mode="json")
    if last is not None and (
        champion == version.version
        or (last.body["policy"] == policy and last.body["champion"] == champion)
        or (last.body["policy"] == policy and _taken_back(entries, version.version))
    ):
        return last
    record = read_lineage(tracking, version)
    rival_auroc, rival_scores = _rescore(job, champion, tracking)
    told: dict[str, Any] = record.get("evaluation", {})
    evidence = Evidence(
        n_good=told.get("n_good", 0),
        n_defect=told.get("n_defect", 0),
        image_auroc=told.get("image_auroc", float("nan")),
        champion=champion,
        champion_image_auroc=rival_auroc,
        validation_passed=record.get("validation", {}).get("passed", False),
        lineage_complete=not missing(record),
    )
    verdict: Verdict = judge(evidence, job.line.gates)
    rival_digest = None if rival_scores is None else sha256_bytes(rival_scores.encode())
    if rival_scores is not None:
        tracking.log_text(version, rival_scores, f"champion-{champion}/scores.csv")
    body = verdict.to_body(
        version.version,
        scores_sha256=told.get("scores_sha256", ""),
        champion_scores_sha256=rival_digest,
    )
    return ledger.append("verdict", job.model, body, settings().who())


def _taken_back(entries: list[Entry], version: str) -> bool:
    """Whether somebody rolled back from this version: a decision that is not ours to undo."""
    left = [move for move in moves(entries) if move.body["from"] == version]
    return bool(left) and left[-1].body["why"] == "rolled_back"


def _rescore(
    job: ClassJob, champion: str | None, tracking: Tracking
) -> tuple[float | None, str | None]:
    """The champion on today's test images: its image AUROC and its scores as CSV.

    Raises:
        DataError: the champion cannot be loaded; says how to go on without it.
    """
    if champion is None:
        return None, None
    try:
        model = load_version(tracking, tracking.version(job.model, champion))
    except (DataError, UsageError) as error:
        raise DataError(
            f"the champion, {job.model}/{champion}, cannot be compared with: {error.what}",
            where=error.where,
            mend=f"restore its files, or `patchae rollback {job.model} --reason ...` to one that"
            " still loads, then run the same command again",
        ) from error
    evaluation = score_tests(job, model, keep_maps=0)
    return evaluation.metrics["image_auroc"], scores_csv(evaluation)
