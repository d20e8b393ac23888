"""The thresholds of a version: what the test images show at each, and moving the one in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from patchae.config import Gates
from patchae.errors import AuditBroken, NegativeFinding, UsageError
from patchae.evidence.scores import SCORES_FILE, Scored, read_scores
from patchae.files import sha256_bytes
from patchae.lineage.naming import lineage_of
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.registry import threshold
from patchae.registry.chain import Entry
from patchae.registry.evidence import Alarms, evidence_of
from patchae.registry.gates import judge
from patchae.registry.ledger import Ledger
from patchae.registry.loading import facts_of
from patchae.registry.operating import Operating, calibration_in, counted, table
from patchae.registry.standing import threshold_moved
from patchae.registry.threshold import Why
from patchae.registry.tracking import Tracking
from patchae.registry.verdict import Finding, Reason
from patchae.registry.wording import sentence
from patchae.settings import settings

_SHARES = (Reason.RECALL_BELOW_MINIMUM, Reason.TOO_MANY_FALSE_ALARMS)
"""What a gate may say against a version that depends on its threshold."""


@dataclass(frozen=True)
class Thresholds:
    """A version at every threshold worth a look."""

    model: str
    version: str
    trained: float
    """The threshold that training set."""
    current: float
    """The one in force."""
    moved: Entry | None
    """The row that moved it; None: it is the trained one."""
    points: tuple[Operating, ...]
    """The lowest threshold first; that in force is among them."""
    rows: tuple[Scored, ...]
    """Scores of the test images."""
    facts: Mapping[str, Any]
    """What `model.json` says."""

    @property
    def n_good(self) -> int:
        """Good test images."""
        return sum(not row.label for row in self.rows)

    @property
    def n_defect(self) -> dict[str, int]:
        """Defective test images by kind."""
        kinds = sorted({row.defect for row in self.rows if row.label})
        return {kind: sum(row.defect == kind for row in self.rows) for kind in kinds}

    def false_alarms(self, point: Operating) -> Alarms:
        """Of the good test images at a threshold."""
        return Alarms(point.false_alarms, self.n_good)

    def missed(self, point: Operating, kind: str | None = None) -> Alarms:
        """Of the defective test images at a threshold, all of them or a kind."""
        counts = self.n_defect
        kinds = counts if kind is None else [kind]
        total = sum(counts[name] for name in kinds)
        return Alarms(total - sum(point.detected[name] for name in kinds), total)


def look(project: Project, tracking: Tracking, ledger: Ledger, name: str) -> Thresholds:
    """The thresholds of `MODEL`, `MODEL/VERSION` or `MODEL@ALIAS`.

    Raises:
        UsageError: there is no such model or version.
        AuditBroken: its record or its scores are not those that were registered.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    model, version, record = lineage_of(project, tracking, name)
    known = tracking.version(model, version)
    evaluation = record["evaluation"]
    path = tracking.some_artifacts(known.run_id, [SCORES_FILE]) / SCORES_FILE
    content = path.read_bytes() if path.is_file() else b""
    if sha256_bytes(content) != evaluation["scores_sha256"]:
        raise AuditBroken(
            f"the scores of {model}/{version} are not those that were registered",
            where="MLflow",
            mend=f"`patchae audit {model}/{version}` says more",
        )
    facts, rows = facts_of(tracking, known), read_scores(content.decode())
    trained = float(evaluation["threshold"])
    rate = float(record["training"]["settings"]["false_alarm_rate"])
    points = list(table(rows, trained, rate, calibration_in(facts)))
    moved = threshold_moved(ledger.entries(model), version)
    current = float(moved.body["to"]) if moved else trained
    if moved and all(point.threshold != current for point in points):
        points.append(counted(rows, current, "moved", moved.body["rate"]))
    return Thresholds(
        model=model,
        version=version,
        trained=trained,
        current=current,
        moved=moved,
        points=tuple(sorted(points, key=lambda point: point.threshold)),
        rows=tuple(rows),
        facts=facts,
    )


def move(
    project: Project,
    tracking: Tracking,
    ledger: Ledger,
    seen: Thresholds,
    *,
    to: float,
    why: Why,
    rate: float | None,
    reason: str,
) -> Entry:
    """Move the threshold of a version; returns the row of the ledger.

    Raises:
        NegativeFinding: it tells nothing apart; or the gates of the class reject on the test
            images at the new threshold, and did not at the old one; or somebody else moved it
            meanwhile.
        UsageError: as `threshold.move_threshold`.
    """
    _require_use(seen, to)
    if gates := _gates(project, seen.model):
        broken, before = (_rejected(seen.rows, value, gates) for value in (to, seen.current))
        if added := [broken[key] for key in broken if key not in before]:
            raise NegativeFinding(
                f"at threshold {to:.6g} the gates would reject {seen.model}/{seen.version}:"
                f" {' and '.join(map(sentence, added))}",
                where="the test images",
                mend=f"choose another: `patchae threshold {seen.model}/{seen.version}` shows what"
                " each would do; or change `gates:` of the line",
            )
    return threshold.move_threshold(
        ledger,
        tracking.aliases,
        seen.model,
        seen.version,
        to=to,
        before=seen.current,
        trained=seen.trained,
        why=why,
        rate=rate,
        actor=settings().who(),
        reason=reason,
    )


def _require_use(seen: Thresholds, to: float) -> None:
    """Refuse a threshold that tells nothing apart: a slip of the keyboard, such as 5 for 0.5.

    Raises:
        NegativeFinding: it misses every defective test image, or stops every good one.
    """
    point = counted(seen.rows, to, "moved", None)
    missed, stopped = seen.missed(point), seen.false_alarms(point)
    for alarms, what in (
        (missed, f"not one of {missed.n} defective test images would raise an alarm"),
        (stopped, f"each of {stopped.n} good test images would raise an alarm"),
    ):
        if alarms.n and alarms.found == alarms.n:
            raise NegativeFinding(
                f"at threshold {to:.6g} {what}",
                where=f"{seen.model}/{seen.version}",
                mend=f"`patchae threshold {seen.model}/{seen.version}` shows what others would do",
            )


def _gates(project: Project, model: str) -> Gates | None:
    """The gates of a class; None: `lines.yaml` no longer has its line."""
    line, _, class_name = model.partition(".")
    try:
        return load_lines(project.lines_file).line(line).gates_of(class_name)
    except UsageError:
        return None


def _rejected(
    rows: Sequence[Scored], value: float, gates: Gates
) -> dict[tuple[Reason, str | None], Finding]:
    """The shares that break a limit at a threshold."""
    evidence = evidence_of(
        [replace(row, decision=int(row.score > value)) for row in rows],
        champion=None,
        ms_per_image=None,
        validation_passed=True,
        lineage_complete=True,
        data_recorded=None,
    )
    findings = judge(evidence, gates).findings
    return {(item.reason, item.about): item for item in findings if item.reason in _SHARES}
