"""Judge a registered version, and make it champion when the verdict says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from patchae.console import say
from patchae.dataset import version_log
from patchae.errors import AccessRefused, AliasMoved, DataError, NegativeFinding, UsageError
from patchae.evidence.scores import SCORES_FILE, Scored, read_scores
from patchae.files import sha256_bytes
from patchae.lineage.record import missing
from patchae.registry.alignment import settle
from patchae.registry.chain import Entry
from patchae.registry.evidence import Rival, evidence_of, rival_of, unscored_rival
from patchae.registry.gates import judge
from patchae.registry.ledger import Ledger
from patchae.registry.loading import facts_of, load_version
from patchae.registry.operating import calibration_in, table
from patchae.registry.promotion import promote
from patchae.registry.standing import (
    champion_of,
    last_verdict,
    moves,
    open_promotion,
    verdicts,
)
from patchae.registry.threshold import finish
from patchae.registry.tracking import Tracking, Version
from patchae.registry.verdict import rival_scores_file
from patchae.settings import settings
from patchae.steps.enrol import lineage_in
from patchae.steps.job import ClassJob
from patchae.steps.learn import score_tests, scores_csv
from patchae.types import DataVersion

_ATTEMPTS = 3


def decide_class(job: ClassJob, version: Version, tracking: Tracking, ledger: Ledger) -> Entry:
    """The verdict on a version, acted upon; returns its row in the ledger.

    Nothing is judged twice on the same evidence: a version that is champion, or that was judged
    under this policy against this champion, keeps its verdict. One that a champion could not be
    compared with is judged again until it can. An account that may not move aliases
    judges all the same, and the promotion waits for a promoter or for the next run of one.

    Raises:
        AliasMoved: an alias was moved in MLflow past the ledger. The version was judged all the
            same, and becomes champion with the next run once the aliases are reconciled.
        ConfigError: there is no such device here as `PATCHAE_DEVICE` names.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    # First of all: a crash between a move and its aliases is mended here.
    try:
        settle(ledger, tracking.aliases, job.model, actor=settings().who())
        finish(ledger, tracking.aliases, job.model, actor=settings().who())
    except AliasMoved:
        _verdict(job, version, tracking, ledger)
        raise
    except AccessRefused:  # a promoter's move was interrupted, and a promoter finishes it
        say(
            f"{job.model}: an interrupted move waits for an account that may move aliases",
            logging.WARNING,
        )
    verdict = _acted_upon(job, version, tracking, ledger)
    tracking.link(version, "verdict", verdict)
    return verdict


def _acted_upon(job: ClassJob, version: Version, tracking: Tracking, ledger: Ledger) -> Entry:
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
                reason=job.origin.reason,
            )
        except AccessRefused:
            say(
                f"{job.model}: the verdict stands, and this account may not move aliases; a"
                f" promoter runs `patchae promote {job.model}/{version.version} --reason TEXT`",
                logging.WARNING,
            )
            return verdict
        except AliasMoved:
            raise
        except (NegativeFinding, UsageError):
            # The champion changed meanwhile, or another worker has acted upon this very verdict.
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return verdict
    raise AssertionError("unreachable")


def _verdict(job: ClassJob, version: Version, tracking: Tracking, ledger: Ledger) -> Entry:
    entries = ledger.entries(job.model)
    last = last_verdict(entries, version.version)
    champion = champion_of(entries).current
    gates = job.line.gates_of(job.class_name)
    policy = gates.model_dump(mode="json")
    same = last and last.body["policy"] == policy and last.body["champion"] == champion
    if last is not None and (
        champion == version.version
        or (same and not _problem(last.body))
        or (last.body["policy"] == policy and _taken_back(entries, version.version))
    ):
        return last
    artifacts = tracking.artifacts(version)
    record, text = lineage_in(artifacts), _scores_of(version, artifacts)
    rows = read_scores(text)
    rival, rival_scores = _rescore(job, champion, rows, tracking, entries)
    evaluation, rate = record.get("evaluation", {}), _promised(record)
    calibration = calibration_in(facts_of(tracking, version))
    operating = (
        table(rows, evaluation["threshold"], rate, calibration)
        if rate is not None and "threshold" in evaluation
        else ()
    )
    evidence = evidence_of(
        rows,
        champion=rival,
        ms_per_image=evaluation.get("ms_per_image"),
        validation_passed=record.get("validation", {}).get("passed", False),
        lineage_complete=not missing(record),
        data_recorded=version_log.made(job.project, job.data_version),
        promised=rate,
        operating=operating,
        seeds=tracking.seeds(version),
    )
    rival_digest = None
    if rival_scores is not None:
        rival_digest = sha256_bytes(rival_scores.encode())
        name = rival_scores_file(str(champion), rival_digest)
        tracking.log_text(version, rival_scores, name)
    body = judge(evidence, gates).to_body(
        version.version,
        scores_sha256=sha256_bytes(text.encode()),
        champion_scores_sha256=rival_digest,
        data_version=job.data_version,
    )
    if same and last and _problem(body) and body["reasons"] == last.body["reasons"]:
        return last  # not a row each night for as long as nobody restores the champion
    return ledger.append("verdict", job.model, body, settings().who())


def _promised(record: Mapping[str, Any]) -> float | None:
    """The share of false alarms that the threshold was asked for; None: the record is damaged."""
    rate = record.get("training", {}).get("settings", {}).get("false_alarm_rate")
    return float(rate) if isinstance(rate, int | float) else None


def _taken_back(entries: list[Entry], version: str) -> bool:
    """Whether somebody rolled back from this version: a decision that is not ours to undo."""
    left = [move for move in moves(entries) if move.body["from"] == version]
    return bool(left) and left[-1].body["why"] == "rolled_back"


def _problem(body: Mapping[str, Any]) -> bool:
    """Whether the champion could not be scored, by the body of a verdict."""
    champion = body["evidence"]["champion"]
    return bool(champion and champion["problem"])


def _rescore(
    job: ClassJob,
    champion: str | None,
    rows: list[Scored],
    tracking: Tracking,
    entries: list[Entry],
) -> tuple[Rival | None, str | None]:
    """The champion on today's test images, beside the scores of the model that is judged.

    Also its scores as CSV. A champion that was deleted, or whose files are gone or of an older
    format, cannot be scored: that is evidence, too, on which a person may decide.
    """
    if champion is None:
        return None, None
    known = next((one for one in tracking.versions(job.model) if one.version == champion), None)
    if known is None:
        return unscored_rival(champion, "it is no longer in MLflow"), None
    try:
        model = load_version(tracking, known)
    except DataError as error:  # no other one: what is wrong with this machine is no evidence
        return unscored_rival(champion, error.what), None
    text = scores_csv(score_tests(job, model, keep_maps=0))
    artifacts = tracking.artifacts(known)
    data_version = lineage_in(artifacts).get("data", {}).get("version", "")
    rival = rival_of(
        champion,
        rows,
        read_scores(text),
        then=_scores_then(known, artifacts),
        data_recorded=_recorded(job, DataVersion(data_version), verdicts(entries, champion)),
    )
    return rival, text


def _recorded(job: ClassJob, version: DataVersion, judged: list[Entry]) -> str | None:
    """When the champion's data version was made: as noted here, or else as its verdicts say.

    A worker notes nothing itself. It has the log from when its run was sent, and a champion may be
    of images that came after that.
    """
    if noted := version_log.made(job.project, version):
        return noted
    # A verdict may be on another version, in which the images of this class are the same.
    same = [row for row in judged if row.body.get("data_version") == version]
    told = [row.body["evidence"]["data_recorded"] for row in (*judged, *same)]
    return next((made for made in reversed(told) if made is not None), None)


def _scores_of(version: Version, artifacts: Path) -> str:
    """The scores of a version as CSV.

    Raises:
        DataError: they are gone.
    """
    try:
        return (artifacts / SCORES_FILE).read_text()
    except OSError as error:
        raise DataError(
            f"the scores of {version.model}/{version.version} cannot be read: {error.strerror}",
            where=f"artifacts of run {version.run_id}",
            mend="restore the artifacts of the run in MLflow from a backup",
        ) from None


def _scores_then(version: Version, artifacts: Path) -> list[Scored] | None:
    """The scores from when a version was judged; None when they are gone."""
    try:
        return read_scores(_scores_of(version, artifacts))
    except (DataError, ValueError):
        return None
