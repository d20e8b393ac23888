"""What each step of a class found, as one line for the log of its run."""

from __future__ import annotations

import json
from collections.abc import Sequence

from patchae.dataset.validation.record import ValidationRecord
from patchae.evidence.scores import SCORES_FILE, read_scores
from patchae.registry.chain import Entry
from patchae.registry.evidence import intervals
from patchae.registry.standing import champion_of
from patchae.steps.job import ClassJob


def validated(record: ValidationRecord) -> str:
    """Return what was checked, and how it ended."""
    counts = record.counts
    images = (
        f"{counts.train_good} images in train/good, {counts.test_good} good and"
        f" {counts.test_defect} defective ones in test/"
    )
    checks = f"{len(record.checks)} checks"
    how = f"{len(record.failed)} of {checks} failed" if record.failed else f"{checks} passed"
    warnings = f", {count} with a warning" if (count := len(record.warnings)) else ""
    return f"{record.class_name}: {how}{warnings}: {images}"


def trained(job: ClassJob) -> str:
    """Return how the training went that lies in the job's folder."""
    told = json.loads((job.trained / "training.json").read_text())
    losses: Sequence[float] = told["losses"]
    epochs = f"{len(losses)} epochs, last loss {losses[-1]:.4f}" if losses else "no epochs"
    return (
        f"{job.class_name}: trained in {told['seconds']:.0f} s on"
        f" {told['environment']['device']}: {epochs}, {told['learned']} images"
    )


def evaluated(job: ClassJob) -> str:
    """Return what the test images showed, by the files in the job's folder."""
    metrics = json.loads((job.evaluated / "evaluation.json").read_text())
    rows = read_scores((job.evaluated / SCORES_FILE).read_text())
    ends = intervals(rows)
    words = [
        _share("image AUROC", metrics["image_auroc"], ends["image_auroc_interval"]),
        _share("pixel AUROC", metrics["pixel_auroc"]),
        _share("recall", metrics["recall"], ends["recall_interval"]),
        _share("false-alarm rate", metrics["false_alarm_rate"], ends["false_alarm_rate_interval"]),
        f"threshold {metrics['threshold']:.4f}",
    ]
    return f"{job.class_name}: {', '.join(words)}, on {len(rows)} test images"


def standing(model: str, version: str, entries: Sequence[Entry]) -> str:
    """Return who is champion once a version was judged, by the rows of the ledger."""
    champion = champion_of(entries)
    if champion.current is None:
        return f"{model}: there is no champion"
    if champion.current != version:
        return f"{model}: version {champion.current} stays champion"
    before = f", version {champion.previous} was it before" if champion.previous else ""
    return f"{model}: version {version} is champion{before}"


def _share(name: str, value: float | None, ends: Sequence[float] | None = None) -> str:
    if value is None:
        return f"{name} unknown"
    between = f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else ""
    return f"{name} {value:.3f}{between}"
