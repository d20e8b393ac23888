"""Links on what a verdict rests on: the scores give its evidence, and the gate decides the same.

Each check returns what it found intact, or raises `Broken` or `NotCheckable`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from patchae.config import Gates
from patchae.evidence.scores import SCORES_FILE, Scored, read_scores
from patchae.files import sha256_bytes
from patchae.lineage.material import Broken, Facts, NotCheckable
from patchae.lineage.probe import FOLDER, probe_of
from patchae.lineage.ranks import image_auroc
from patchae.registry.chain import Entry
from patchae.registry.evidence import Evidence, Rival, evidence_of, intervals, rival_of
from patchae.registry.gates import judge
from patchae.registry.operating import Operating, conformal, counted
from patchae.registry.standing import last_verdict, moves, verdicts
from patchae.registry.verdict import Finding, Verdict, rival_scores_file

TOLERANCE = 1e-9
"""Two ways to compute the same number may differ by this much in floating point."""


def verdict_recomputed(facts: Facts) -> str:
    """The scores give the evidence of every verdict, and the gate decides the same on it again."""
    rows = verdicts(facts.entries, facts.version)
    decisive = _decisive(facts)
    if decisive is None:
        raise NotCheckable(f"the ledger has no verdict on version {facts.version}")
    scores = facts.scores
    auroc = _auroc(scores)
    for row in rows:
        _recompute(facts, row, auroc)
    more = f"; {len(rows)} verdicts in all" if len(rows) > 1 else ""
    return (
        f"{_said(auroc)} from {len(scores)} scores;"
        f" {decisive.body['outcome']} as in row {decisive.seq}{more}"
    )


def _recompute(facts: Facts, row: Entry, auroc: float | None) -> None:
    """One verdict, from the scores, the champion's scores, and the policy that it names."""
    record = facts.record
    if row.body["scores_sha256"] != sha256_bytes(facts.artifact(SCORES_FILE)):
        raise Broken(f"scores.csv: row {row.seq} of the ledger was decided on other scores")
    told = Evidence.from_dict(row.body["evidence"])
    seen = told.image_auroc.auroc if told.image_auroc else auroc
    if not _close(seen, auroc):
        raise Broken(
            f"image AUROC: scores.csv gives {auroc!r}, row {row.seq} of the ledger says {seen!r}"
        )
    found = evidence_of(
        facts.scores,
        champion=_rival(facts, row, told.champion),
        ms_per_image=record.evaluation.ms_per_image,
        validation_passed=record.validation.passed,
        lineage_complete=facts.lineage_complete,
        data_recorded=told.data_recorded,
        promised=_promised(facts, row),
        operating=_operating(facts, told),
        seeds=told.seeds,
    )
    champion = told.champion.version if told.champion else None
    if champion != row.body["champion"] or not _close(found.to_dict(), told.to_dict()):
        raise Broken(f"the evidence in row {row.seq} of the ledger is not what the records show")
    given, again = Verdict.from_body(row.body), judge(told, Gates(**row.body["policy"]))
    if (again.outcome, again.reasons) != (given.outcome, given.reasons):
        raise Broken(
            f"row {row.seq} of the ledger says {given.outcome} ({', '.join(given.reasons)});"
            f" the gate says {again.outcome} ({', '.join(again.reasons)})"
        )
    if not _close(_without_more(again.findings), _without_more(given.findings)):
        raise Broken(f"row {row.seq} of the ledger: its findings do not follow from its policy")


def _promised(facts: Facts, row: Entry) -> float | None:
    """The rate that the threshold was asked for; a row that knows the gate on it must have it."""
    known = "promised" in row.body["evidence"] or "broken_promise" in row.body["policy"]
    return float(facts.record.training.settings["false_alarm_rate"]) if known else None


def _operating(facts: Facts, told: Evidence) -> Sequence[Operating]:
    """The operating table, counted again from the scores.

    Raises:
        Broken: a threshold of it is not from where it says, as far as calibration is known.
    """
    calibration = facts.calibration
    for point in told.operating:
        source = facts.record.evaluation.threshold
        if point.source == "calibration" and calibration:
            source = conformal(calibration, point.promised or 0)
        elif point.source != "trained":
            continue
        if not _close(point.threshold, source):
            raise Broken(
                f"operating table: {point.threshold} is said to be of {point.source}, which gives"
                f" {source}"
            )
    return [
        counted(facts.scores, point.threshold, point.source, point.promised)
        for point in told.operating
    ]


def evaluation(facts: Facts) -> str:
    """What the record says that the test images showed, counted again from the scores."""
    told, rows = facts.record.evaluation.model_dump(mode="json"), facts.scores
    found = evidence_of(
        rows,
        champion=None,
        ms_per_image=None,
        validation_passed=True,
        lineage_complete=True,
        data_recorded=None,
    ).to_dict()
    auroc = _auroc(rows)
    alarms = [row.decision for row in rows if row.label]
    false = found["false_alarms"]
    expected = {
        "n_good": found["n_good"],
        "n_defect": found["n_defect"],
        "recall_by_defect": found["recall"],
        "image_auroc": auroc,
        "recall": sum(alarms) / len(alarms) if alarms else None,
        "false_alarm_rate": false["found"] / false["n"] if false["n"] else None,
        **intervals(rows),
    }
    for name, value in expected.items():
        if not _close(told[name], value):
            raise Broken(f"lineage.json: {name} is {told[name]}; scores.csv gives {value}")
    return f"{_said(auroc)}; the numbers of pixels need the maps"


def probe(facts: Facts) -> str:
    """The image that a rollback tries the model with is the test image that was chosen for it."""
    row = probe_of(facts.scores)
    name = f"{FOLDER}/{Path(row.path).name}"
    if sha256_bytes(facts.artifact(name)) != row.sha256:
        raise Broken(f"{name}: not the test image {row.path}")
    return f"{row.path}, score {row.score:.6g}"


def _rival(facts: Facts, row: Entry, told: Rival | None) -> Rival | None:
    """The champion's side of the evidence, from its scores; what they cannot give is as told."""
    digest_told = row.body["champion_scores_sha256"]
    if told is None or (told.paired is None and digest_told is None):
        return told
    name = rival_scores_file(told.version, str(digest_told))
    text = facts.artifact(name)
    if sha256_bytes(text) != digest_told:
        raise Broken(f"{name}: row {row.seq} of the ledger was decided on other scores")
    try:
        own = read_scores(text.decode())
        found = rival_of(
            told.version, facts.scores, own, then=None, data_recorded=told.data_recorded
        )
    except ValueError as error:
        raise Broken(f"{name}: {error}") from None
    auroc = _auroc(own)
    if told.paired is not None and not _close(told.paired.champion.auroc, auroc):
        raise Broken(
            f"image AUROC of champion version {told.version}: {name} gives {auroc!r},"
            f" row {row.seq} of the ledger says {told.paired.champion.auroc!r}"
        )
    return found.model_copy(
        update={"image_auroc_then": told.image_auroc_then, "same_images": told.same_images}
    )


def _auroc(rows: Sequence[Scored]) -> float | None:
    """The image AUROC that scores give; None without images of both kinds."""
    found = image_auroc([row.label for row in rows], [row.score for row in rows])
    return None if math.isnan(found) else found


def _said(auroc: float | None) -> str:
    return "no image AUROC" if auroc is None else f"image AUROC {auroc:.6f}"


def _without_more(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    # How many more images would decide is sought in steps: another rounding may take one more.
    return [
        {key: value for key, value in asdict(one).items() if not key.startswith("more_")}
        for one in findings
    ]


def _close(one: object, other: object) -> bool:
    """Whether two JSON values are equal, numbers up to `TOLERANCE`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE
    return one == other


def _decisive(facts: Facts) -> Entry | None:
    """The verdict that made the version champion last, or else the newest one on it."""
    given = {row.seq: row for row in verdicts(facts.entries, facts.version)}
    for move in reversed(moves(facts.entries_then)):
        if move.body["to"] == facts.version and move.body["verdict"] in given:
            return given[move.body["verdict"]]
    return last_verdict(facts.entries, facts.version)
