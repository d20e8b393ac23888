"""Write a trained and judged class into MLflow, with a lineage record that is complete."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from patchae.dataset import manifest as manifests
from patchae.errors import AuditBroken
from patchae.evidence.scores import SCORES_FILE, read_scores
from patchae.files import sha256_file, write_json, write_text
from patchae.lineage import record as lineage
from patchae.lineage.environment import COMPONENTS_FILE
from patchae.lineage.source import source_of
from patchae.lineage.split_file import SPLIT_FILE, Used, split_csv
from patchae.lineage.trace.fill import add as add_to_trace
from patchae.lineage.trace.sources import FILES
from patchae.registry.chain import Entry
from patchae.registry.evidence import intervals
from patchae.registry.ledger import Ledger
from patchae.registry.registration import LINEAGE_FILE, Training, finish, register
from patchae.registry.standing import LEAVING, registrations, to_train_again
from patchae.registry.tracking import TAG, Tracking, Version
from patchae.report.card import cards
from patchae.settings import settings
from patchae.steps.job import ClassJob

LINEAGE_TAG = f"{TAG}lineage_sha256"
"""Of a version in MLflow: the digest of its record."""


def enrol_class(job: ClassJob, tracking: Tracking, ledger: Ledger) -> Version:
    """The registered version of the job's training, and its row in the ledger; each made once.

    Whoever registers has the model's turn: of two workers with one training key the second finds
    what the first has made.

    Raises:
        AuditBroken: the ledger registered another training under the version's number.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    with ledger.turn(job.model) as begin:
        gone = to_train_again(ledger.entries(job.model, kinds=LEAVING))
        version = tracking.with_key(job.model, job.key, gone)
        if version is None:
            version = _register(job, tracking, ledger, gone)
        else:  # perhaps made by a process that was killed right after
            finish(tracking, version, ledger.now)
        with begin() as transaction:
            rows = registrations(transaction.entries(job.model), version.version)
            if not rows:
                body = {
                    "version": version.version,
                    "run_id": version.run_id,
                    "training_key": job.key,
                    "lineage_sha256": version.tags[LINEAGE_TAG],
                }
                rows = [transaction.append("registered", job.model, body, settings().who())]
        _require_its_own(version, rows[0])
    tracking.link(version, "registered", rows[0])
    # If it cannot be now, the next trace does it.
    add_to_trace(job.project, lambda run: tracking.some_artifacts(run, FILES), rows[0])
    return version


def _require_its_own(version: Version, row: Entry) -> None:
    """Refuse a version that has the number of another one: it would inherit that one's verdict.

    MLflow that was restored from a backup numbers on from there, and the ledger did not go back.
    """
    found = {"run_id": version.run_id, "lineage_sha256": version.tags.get(LINEAGE_TAG)}
    for name, value in found.items():
        if row.body[name] != value:
            raise AuditBroken(
                f"version {version.version} of {version.model} in MLflow is not the one that the"
                f" ledger registered: its {name} is {value}, row {row.seq} says {row.body[name]}",
                where="MLflow",
                mend="if MLflow was restored from a backup, restore one that still has the version"
                f" of run {row.body['run_id']}; or delete version {version.version} in MLflow, by"
                " which its number is used up, and retrain: the new one takes the next number",
            )


def _register(job: ClassJob, tracking: Tracking, ledger: Ledger, gone: Collection[str]) -> Version:
    manifest_csv = manifests.to_csv(job.manifest)
    with TemporaryDirectory(prefix="patchae-") as name:
        artifacts = Path(name) / "artifacts"
        shutil.copytree(job.evaluated, artifacts)
        write_text(artifacts / "manifest.csv", manifest_csv)
        write_json(artifacts / "validation.json", job.validation.to_dict())
        write_text(artifacts / SPLIT_FILE, _split(job))
        shutil.copy(job.trained / COMPONENTS_FILE, artifacts)

        def complete(run_id: str, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
            head = ledger.head()
            return lineage_record(job, run_id, files, artifacts, head, now=ledger.now())

        training = _training(job, artifacts)
        return register(tracking, training, complete, cards, but=gone, clock=ledger.now)


def _training(job: ClassJob, artifacts: Path) -> Training:
    from patchae.model.key import source_digest

    training, metrics = _json(job.trained / "training.json"), _metrics(job)
    plain = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    return Training(
        line=job.line.name,
        class_name=job.class_name,
        key=job.key,
        data_version=job.data_version,
        source=source_digest(),
        data_source={"path": f"data/{job.class_name}", "dvc": "data.dvc", "md5": job.data_version},
        model_folder=job.trained / "model",
        artifacts=artifacts,
        params={
            **job.line.training.model_dump(mode="json"),
            "device": training["environment"]["device"],
        },
        metrics={**plain, "training_seconds": training["seconds"]},
        losses=tuple(training["losses"]),
    )


def lineage_record(
    job: ClassJob,
    run_id: str,
    files: Mapping[str, Mapping[str, Any]],
    artifacts: Path,
    head: Entry | None,
    *,
    now: datetime,
) -> dict[str, Any]:
    """The lineage record of a job, as plain JSON values.

    Args:
        job: the job.
        run_id: of the run in MLflow.
        files: the model's files, with their digests and sizes.
        artifacts: folder with the artifacts of the run.
        head: the newest row of the ledger.
        now: the time by the ledger's clock, asked after that row was read.
    """
    training = _json(job.trained / "training.json")
    counts = job.validation.counts
    return lineage.build(
        line=job.line.name,
        class_name=job.class_name,
        training_key=job.key,
        data={
            "version": job.data_version,
            "class_digest": job.digest,
            "manifest_sha256": sha256_file(artifacts / "manifest.csv"),
            "images": {
                "train_good": counts.train_good,
                "test_good": counts.test_good,
                "test_defect": counts.test_defect,
            },
        },
        validation={
            "sha256": job.validation.digest,
            "passed": job.validation.passed,
            "checks": len(job.validation.checks),
            "findings": [
                {"code": check.code, "severity": check.severity, "found": check.found}
                for check in job.validation.checks
                if not check.passed
            ],
        },
        source=source_of(job.project),
        environment=training["environment"],
        training={
            "settings": job.line.training.model_dump(mode="json"),
            "backbone": job.line.training.backbone,
            "seed": job.line.training.seed,
            **{
                name: training[name]
                for name in ("weights_sha256", "torch", "seconds", "learned", "calibration")
            },
            "split_sha256": sha256_file(artifacts / SPLIT_FILE),
        },
        evaluation={
            **_metrics(job),
            **intervals(read_scores((artifacts / SCORES_FILE).read_text())),
            "scores_sha256": sha256_file(artifacts / SCORES_FILE),
        },
        policy=job.line.gates_of(job.class_name).model_dump(mode="json"),
        ledger={"seq": head.seq, "digest": head.digest} if head else None,
        files=files,
        run={
            "mlflow_run_id": run_id,
            **job.origin.to_record(),
            "host": training["host"],
            "actor": settings().who(),
            "started": training["started"],
            "finished": now.isoformat(),
        },
    )


def _split(job: ClassJob) -> str:
    """`split.csv`: the same split that the training made, of the same images."""
    from patchae.model.split import calibration_split

    rows, settings_ = job.train_rows, job.line.training
    aside = calibration_split(list(rows["sha256"]), settings_.calibration_share, settings_.seed)
    return split_csv(
        Used(path, sha256, "calibration" if calibrates else "learned")
        for path, sha256, calibrates in zip(rows["path"], rows["sha256"], aside, strict=True)
    )


def read_lineage(tracking: Tracking, version: Version) -> dict[str, Any]:
    """The lineage record of a registered version, as it stands; empty when it cannot be read."""
    return lineage_in(tracking.artifacts(version))


def lineage_in(artifacts: Path) -> dict[str, Any]:
    """The lineage record in a folder of artifacts; otherwise as `read_lineage`."""
    try:
        return lineage.load((artifacts / LINEAGE_FILE).read_text())
    except (OSError, ValueError):
        return {}


def _metrics(job: ClassJob) -> dict[str, Any]:
    return _json(job.evaluated / "evaluation.json")


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
