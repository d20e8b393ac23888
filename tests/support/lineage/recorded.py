"""The lineage record of a version that `builder` makes, and what MLflow shows of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from patchae.config import Training
from patchae.dataset.validation.record import ValidationRecord
from patchae.evidence.scores import Scored
from patchae.files import sha256_bytes, sha256_file
from patchae.lineage.environment import components
from patchae.lineage.record import build as build_record
from patchae.registry.evidence import intervals
from patchae.registry.runs import LoggedRun
from tests.support.lineage.history import LAX, RUN

THRESHOLD = 0.5
STARTED, FINISHED = "2026-05-01T10:00:00.000000Z", "2026-05-01T10:00:12.500000Z"
PACKAGES = {"numpy": "2.3.1", "torch": "2.14.1"}


def record_of(folder: Path, validation: ValidationRecord, rows: list[Scored]) -> dict[str, Any]:
    """A whole record; `build` fills in the digests of what may be forged."""
    model = folder / "model"
    files = [path for path in sorted(model.rglob("*")) if path.is_file()]
    alarms: dict[str, list[int]] = {}
    for row in rows:
        if row.label:
            alarms.setdefault(row.defect, []).append(row.decision)
    return build_record(
        line="sample",
        class_name="bolt",
        training_key="8" * 64,
        data={
            "version": validation.data_version,
            "class_digest": validation.class_digest,
            "manifest_sha256": "",
            "images": {"train_good": 24, "test_good": 6, "test_defect": 6},
        },
        validation={
            "sha256": validation.digest,
            "passed": validation.passed,
            "checks": len(validation.checks),
            "findings": [],
        },
        source={
            "git_commit": None,
            "git_clean": None,
            "model_source_sha256": "9" * 64,
            "patchae_version": "0.1.0",
            "lock_sha256": None,
        },
        environment={
            "python": "3.11.2",
            "platform": "Linux-6.1-x86_64",
            "device": "cpu",
            "device_name": "a processor",
            "driver": None,
            "threads": 2,
            "packages": PACKAGES,
            "components_sha256": sha256_bytes(components(PACKAGES).encode()),
        },
        training={
            "settings": Training().model_dump(mode="json"),
            "backbone": "tf_efficientnet_lite0",
            "weights_sha256": "a" * 64,
            "seed": 0,
            "torch": "2.14.1",
            "seconds": 12.5,
            "learned": 19,
            "calibration": 5,
            "split_sha256": "",
        },
        evaluation={
            "image_auroc": 0.0,
            **intervals(rows),
            "pixel_auroc": None,
            "pixel_auroc_interval": None,
            "aupro": None,
            "aupro_interval": None,
            "threshold": THRESHOLD,
            "recall": _share(row.decision for row in rows if row.label),
            "false_alarm_rate": _share(row.decision for row in rows if not row.label),
            "n_good": sum(not row.label for row in rows),
            "n_defect": sum(row.label for row in rows),
            "recall_by_defect": {
                kind: {"found": sum(found), "n": len(found)} for kind, found in alarms.items()
            },
            "ms_per_image": 31.2,
            "scores_sha256": "",
        },
        policy=LAX.model_dump(mode="json"),
        ledger=None,
        files={
            path.relative_to(model).as_posix(): {
                "sha256": sha256_file(path),
                "bytes": path.stat().st_size,
            }
            for path in files
        },
        run={
            "mlflow_run_id": RUN,
            "prefect_flow_run_id": None,
            "prefect_deployment": None,
            "work_pool": None,
            "host": "here",
            "trigger": "person",
            "reason": "",
            "actor": "tester",
            "started": STARTED,
            "finished": FINISHED,
        },
    )


def _share(decisions: Iterable[int]) -> float:
    found = list(decisions)
    return sum(found) / len(found)


def tags_of(record: dict[str, Any]) -> dict[str, str]:
    return {
        "patchae.training_key": record["training_key"],
        "patchae.line": record["line"],
        "patchae.class": record["class"],
        "patchae.data_version": record["data"]["version"],
    }


def run_of(record: dict[str, Any]) -> LoggedRun:
    """The run in MLflow of a record."""
    plain = {
        name: float(value)
        for name, value in record["evaluation"].items()
        if isinstance(value, int | float)
    }
    settings = {**record["training"]["settings"], "device": record["environment"]["device"]}
    return LoggedRun(
        run_id=record["run"]["mlflow_run_id"],
        deleted=False,
        started=datetime.fromisoformat(FINISHED),
        ended=datetime.fromisoformat(FINISHED) + timedelta(seconds=5),
        tags=tags_of(record),
        params={name: str(value) for name, value in settings.items()},
        metrics={**plain, "training_seconds": record["training"]["seconds"], "loss": 0.25},
    )
