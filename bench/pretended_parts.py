"""The parts of a pretended training: what its artifacts would say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from patchae.config import Training
from patchae.dataset.validation.drift import Appearance, Level
from patchae.dataset.validation.record import Check, Counts, ValidationRecord
from patchae.evidence.scores import HEADER, read_scores
from patchae.files import sha256_bytes, sha256_file
from patchae.lineage.ranks import image_auroc
from patchae.lineage.split_file import Used, split_csv
from patchae.model.split import calibration_split
from patchae.registry.evidence import intervals
from patchae.types import ClassDigest, DataVersion, Sha256

THRESHOLD = 1.5
MODEL_FILES = {"MLmodel": b"flavors: {}\n", "artifacts/model/model.safetensors": bytes(100_000)}


def counts_of(manifest: pd.DataFrame) -> Counts:
    good, test = manifest["defect"] == "good", manifest["split"] == "test"
    return Counts(int((~test & good).sum()), int((test & good).sum()), int((test & ~good).sum()))


def validation_of(
    name: str, version: DataVersion, digest: ClassDigest, counts: Counts
) -> ValidationRecord:
    return ValidationRecord(
        class_name=name,
        data_version=version,
        class_digest=digest,
        passed=True,
        checks=tuple(
            Check(code, "error", "It is as it must be", True, 0, (), "none", "none")
            for code in ("evaluated", "decodable", "no_leak")
        ),
        counts=counts,
        strays_sha256=Sha256("0" * 64),
        compared_with=None,
        appearance=Appearance(1, *[Level(0.5, 0.0)] * 6),
        rules={},
        suite_sha256=Sha256("0" * 64),
        versions={},
    )


def split_of(manifest: pd.DataFrame) -> str:
    good = manifest[manifest["split"] == "train"]
    aside = calibration_split(list(good["sha256"]), Training().calibration_share, 0)
    return split_csv(
        Used(path, sha256, "calibration" if calibrates else "learned")
        for path, sha256, calibrates in zip(good["path"], good["sha256"], aside, strict=True)
    )


def scores_of(manifest: pd.DataFrame, seed: int) -> str:
    """Good images score around 0, defective ones around 3."""
    tests = manifest[manifest["split"] == "test"]
    noise = np.random.default_rng(seed).normal(0, 1, len(tests))
    lines = [",".join(HEADER)]
    for path, sha256, defect, drawn in zip(
        tests["path"], tests["sha256"], tests["defect"], noise, strict=True
    ):
        label = int(defect != "good")
        score = math.exp(drawn / 4) + label
        lines.append(f"{path},{sha256},{defect},{label},{score!r},{int(score > THRESHOLD)}")
    return "\n".join(lines) + "\n"


def evaluation_of(scores: str) -> dict[str, Any]:
    rows = read_scores(scores)
    good, bad = [row for row in rows if not row.label], [row for row in rows if row.label]
    alarms, found = sum(row.decision for row in good), sum(row.decision for row in bad)
    return {
        "image_auroc": image_auroc([row.label for row in rows], [row.score for row in rows]),
        **intervals(rows),
        "pixel_auroc": None,
        "pixel_auroc_interval": None,
        "aupro": None,
        "aupro_interval": None,
        "threshold": THRESHOLD,
        "recall": found / len(bad),
        "false_alarm_rate": alarms / len(good),
        "n_good": len(good),
        "n_defect": len(bad),
        "recall_by_defect": {"hole": {"found": found, "n": len(bad)}},
        "ms_per_image": 1.0,
        "scores_sha256": sha256_bytes(scores.encode()),
    }


def files_of(model: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {"sha256": sha256_file(model / name), "bytes": len(content)}
        for name, content in MODEL_FILES.items()
    }
