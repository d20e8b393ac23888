"""Fill a report from the ledger, MLflow and the audit. The page itself knows none of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patchae import __version__
from patchae.config import Line
from patchae.dataset.version import pinned_version
from patchae.errors import PatchaeError, UsageError
from patchae.evidence.scores import Scored, read_scores
from patchae.lineage.gather import audit_model
from patchae.lineage.last_audit import last_audit, remember
from patchae.lineage.ledger_view import LedgerView, view
from patchae.lineage.material import Audit as Proven
from patchae.lineage.material import State
from patchae.lineage.record import digest, load
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.evidence import Evidence
from patchae.registry.ledger import Ledger
from patchae.registry.operating import Operating, counted
from patchae.registry.standing import champion_of, last_verdict, moves, threshold_moved
from patchae.registry.tracking import Tracking
from patchae.registry.verdict import Verdict
from patchae.registry.wording import explain_row, sentence
from patchae.report.content import (
    Audit,
    AuditLink,
    ClassReport,
    DefectRecall,
    HeatMap,
    Interval,
    Lineage,
    LineReport,
    LinkState,
    ModelReport,
    Move,
    Reason,
    Score,
    Threshold,
    ThresholdMove,
    Unread,
)
from patchae.report.rows import readable

_LINK_STATES: dict[State, LinkState] = {
    "intact": "holds",
    "broken": "broken",
    "not_checkable": "unknown",
}


def line_report(
    project: Project,
    tracking: Tracking,
    line: Line,
    classes: Iterable[str],
    failed: Mapping[str, str] | None = None,
    *,
    book: LedgerView | None = None,
    audits: Mapping[str, Audit] | None = None,
) -> LineReport:
    """The report of a line as it stands now.

    Args:
        classes: the classes of the line.
        failed: why a class could not be finished in the last run, by class.
        book: the ledger, where it was read already.
        audits: what `audited` found just now; for any other champion the last audit is shown.

    Raises:
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    book = book or view(Ledger.of(project))
    reports = []
    for name in classes:
        model = line.model_name(name)
        made = _class_report(tracking, model, name, readable(book.of(model)))
        last = _last_audit(project, model, made.champion, audits or {})
        reports.append(replace(made, failed=(failed or {}).get(name), audit=last))
    schedule = line.schedule
    return LineReport(
        line=line.name,
        description=line.description,
        generated=datetime.now(UTC),
        data_version=pinned_version(project),
        classes=tuple(reports),
        patchae_version=__version__,
        schedule=f"{schedule.cron} ({schedule.timezone})" if schedule else None,
    )


def _class_report(
    tracking: Tracking, model: str, class_name: str, entries: Sequence[Entry]
) -> ClassReport:
    champion = champion_of(entries).current
    last = last_verdict(entries)
    history = [
        Move(
            time=datetime.fromisoformat(move.time),
            to=move.body["to"],
            before=move.body["from"],
            actor=move.actor,
            why=move.body["why"],
            reason=move.body["reason"],
        )
        for move in reversed(moves(entries))
    ]
    candidate = _model_report(tracking, model, last, entries) if last else None
    other = last_verdict(entries, champion) if champion else None
    return ClassReport(
        class_name=class_name,
        model=model,
        champion=champion,
        champion_since=history[0].time if history else None,
        candidate=candidate,
        unread=_unread(last) if last and candidate is None else None,
        champion_report=_model_report(tracking, model, other, entries)
        if other and last and other.body["version"] != last.body["version"]
        else None,
        history=tuple(history),
        life=f"life-{class_name}.html",
    )


def _unread(row: Entry) -> Unread:
    return Unread(row.body["version"], row.body["outcome"], explain_row(row.body))


def _model_report(
    tracking: Tracking, model: str, row: Entry, entries: Sequence[Entry]
) -> ModelReport | None:
    """None when the run's artifacts or the row are damaged: the audit beside it says so."""
    try:
        folder = tracking.artifacts(tracking.version(model, row.body["version"]))
        record = load((folder / "lineage.json").read_text())
        scored = read_scores((folder / "scores.csv").read_text())
        scores = [Score(s.path, s.defect, s.label, s.score, s.decision) for s in scored]
        made = _evidence(folder, record, scores, row)
        return _at_its_threshold(made, scored, threshold_moved(entries, made.version))
    except (OSError, ValueError, LookupError, TypeError, UsageError):
        return None


def _at_its_threshold(
    report: ModelReport, rows: Sequence[Scored], last: Entry | None
) -> ModelReport:
    """The same with the last move of the threshold, which the operating table then has, too."""
    if last is None:
        return report
    moved = ThresholdMove(
        datetime.fromisoformat(last.time), last.body["to"], last.actor, last.body["reason"]
    )
    table = list(report.thresholds)
    if all(row.value != moved.to for row in table):
        table.append(_threshold(counted(rows, moved.to, "moved", last.body["rate"])))
    table.sort(key=lambda row: row.value)
    return replace(report, moved=moved, thresholds=tuple(table))


def _threshold(point: Operating) -> Threshold:
    return Threshold(
        point.threshold, point.source, point.promised, point.false_alarms, point.detected
    )


def _evidence(
    folder: Path,
    record: Mapping[str, Any],
    scores: list[Score],
    row: Entry,
) -> ModelReport:
    told, data, source = record["evaluation"], record["data"], record["source"]
    verdict = Verdict.from_body(row.body)
    return ModelReport(
        version=row.body["version"],
        trained=datetime.fromisoformat(record["run"]["finished"]),
        image_auroc=told["image_auroc"],
        pixel_auroc=told["pixel_auroc"],
        pixel_auroc_interval=_pair(told["pixel_auroc_interval"]),
        aupro=told["aupro"],
        aupro_interval=_pair(told["aupro_interval"]),
        threshold=told["threshold"],
        recall=told["recall"],
        false_alarm_rate=told["false_alarm_rate"],
        n_good=told["n_good"],
        n_defect=told["n_defect"],
        recall_by_defect=tuple(
            DefectRecall(kind, tally["found"], tally["n"])
            for kind, tally in told["recall_by_defect"].items()
        ),
        ms_per_image=told["ms_per_image"],
        outcome=verdict.outcome,
        reasons=tuple(
            Reason(finding.reason.value, sentence(finding, verdict.evidence))
            for finding in verdict.decisive
        ),
        scores=tuple(scores),
        thresholds=tuple(
            _threshold(point) for point in Evidence.from_dict(verdict.evidence).operating
        ),
        maps=_maps(folder, scores),
        lineage=Lineage(
            sha256=digest(record),
            data_version=data["version"],
            training_key=record["training_key"],
            backbone=record["training"]["backbone"],
            git_commit=source["git_commit"],
            git_clean=source["git_clean"],
            patchae_version=source["patchae_version"],
            device=record["environment"]["device"],
            **data["images"],
        ),
    )


def _pair(limits: list[float] | None) -> Interval | None:
    return (limits[0], limits[1]) if limits else None


def _maps(folder: Path, scores: list[Score]) -> tuple[HeatMap, ...]:
    """The heat maps that the training kept: the first half are the worst decisions."""
    by_path = {score.path: score for score in scores}
    index = json.loads((folder / "maps" / "index.json").read_text())
    return tuple(
        HeatMap(
            score=by_path[item["path"]],
            rank="worst" if number < len(index) / 2 else "best",
            png=(folder / item["file"]).read_bytes(),
        )
        for number, item in enumerate(index)
    )


def audited(
    project: Project, tracking: Tracking, line: Line, classes: Iterable[str]
) -> dict[str, Audit]:
    """Audit the champion of every class, and keep what was found; by model.

    It takes a while, in which others may write pages, and a champion may change.

    Raises:
        StoreUnreachable: the ledger cannot be used.
    """
    book, found = view(Ledger.of(project)), dict[str, Audit]()
    for model in map(line.model_name, classes):
        if champion := champion_of(readable(book.of(model))).current:
            found[model] = _audit(project, tracking, model, champion)
    return found


def _audit(project: Project, tracking: Tracking, model: str, version: str) -> Audit:
    moment = datetime.now(UTC)
    try:
        found = audit_model(project, tracking, model)
    except PatchaeError as error:
        return Audit(version, (AuditLink("audit", "Audit", "unknown", error.what),), moment)
    remember(project, found, moment)
    return shown(found, moment)


def _last_audit(
    project: Project, model: str, champion: str | None, audits: Mapping[str, Audit]
) -> Audit | None:
    if champion is None:
        return None
    if (made := audits.get(model)) and made.version == champion:
        return made
    last = last_audit(project, model, champion)
    return shown(last.audit, last.time) if last else None


def shown(found: Proven, time: datetime | None = None) -> Audit:
    """An audit as pages show it; `time`: when it was made, if not just now."""
    return Audit(
        found.version,
        tuple(
            AuditLink(link.code, link.title, _LINK_STATES[link.state], link.detail)
            for link in found.links
        ),
        time,
    )
