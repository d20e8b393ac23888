"""A model version with everything that an audit looks at, made on the spot.

`build` writes what an honest run writes. Its options make runs that were dishonest from the start,
where every digest fits and only a recomputation shows it. The clock of the ledger stands in May
2026, so that a version is the same whenever it is built.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from patchae.dataset.manifest import class_digest, read_manifest, to_csv
from patchae.dataset.validation.drift import Appearance, Level
from patchae.dataset.validation.record import Check, Counts, ValidationRecord
from patchae.evidence.scores import HEADER, read_scores
from patchae.files import (
    canonical_json,
    sha256_bytes,
    write_bytes,
    write_json,
    write_text,
)
from patchae.lineage.environment import COMPONENTS_FILE, components
from patchae.lineage.probe import FOLDER, probe_of
from patchae.lineage.ranks import image_auroc
from patchae.lineage.record import digest, missing
from patchae.lineage.split_file import SPLIT_FILE, Used, split_csv
from patchae.registry.export import Anchor
from patchae.registry.signing import generate
from patchae.types import ClassDigest, DataVersion, Sha256
from tests.support import write_class
from tests.support.lineage.built import Built, md5_of
from tests.support.lineage.history import History, champion_scores
from tests.support.lineage.recorded import PACKAGES, THRESHOLD, record_of, run_of, tags_of
from tests.support.registry.memory import MODEL

__all__ = ["Built", "build"]


def unchanged(text: str) -> str:
    """The forger who does nothing."""
    return text


def build(
    folder: Path,
    *,
    leak: bool = False,
    failed_validation: bool = False,
    ignored_gate: bool = False,
    proven: bool = False,
    claimed_auroc: float | None = None,
    forge: Mapping[str, Callable[[str], str]] | None = None,
    forge_record: Callable[[dict[str, Any]], object] = lambda record: None,
) -> Built:
    """Train, judge and promote a version of `sample.bolt`, all pretended; 24 + 6 + 6 images.

    It is version 1; with `proven` it is version 2, compared with champion 1, in a ledger that is
    signed and of which the newest row was noted.

    `forge` changes the text of manifest.csv, split.csv or scores.csv, `forge_record` the record,
    before any digest of it is taken.
    """
    forgers = forge or {}
    data = folder / "data"
    write_class(data, "bolt")
    if leak:
        shutil.copy(data / "bolt/train/good/003.png", data / "bolt/test/good/002.png")
    manifest = read_manifest(data, "bolt")
    listing = _store(data, folder / "remote", manifest)
    version = DataVersion(next(p.name for p in (folder / "remote").glob("*.dir")))
    artifacts = folder / "artifacts"
    table = forgers.get("manifest.csv", unchanged)(to_csv(manifest))
    write_text(artifacts / "manifest.csv", table)
    classes = class_digest(manifest)
    validation = _validation(version, classes, passed=not failed_validation)
    write_json(artifacts / "validation.json", validation.to_dict())
    honest = _scores(manifest)
    scores = forgers.get("scores.csv", unchanged)(honest)
    write_text(artifacts / "scores.csv", scores)
    write_text(folder / "model" / "MLmodel", "flavors: {}\n")
    write_text(folder / "model" / "artifacts" / "model.safetensors", "weights")
    rows = read_scores(scores if scores.startswith("path,") else honest)
    auroc = image_auroc([row.label for row in rows], [row.score for row in rows])
    record = record_of(folder, validation, rows)
    record["data"]["manifest_sha256"] = sha256_bytes(table.encode())
    record["evaluation"]["image_auroc"] = auroc if claimed_auroc is None else claimed_auroc
    record["evaluation"]["scores_sha256"] = sha256_bytes(scores.encode())
    split = forgers.get(SPLIT_FILE, unchanged)(_split(manifest))
    write_text(artifacts / SPLIT_FILE, split)
    write_text(artifacts / COMPONENTS_FILE, components(PACKAGES))
    record["training"]["split_sha256"] = sha256_bytes(split.encode())
    image = probe_of(rows).path
    write_bytes(artifacts / FOLDER / Path(image).name, (data / image).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        if proven:
            generate(folder / "keys" / "ledger")
            patch.setenv("PATCHAE_LEDGER_KEY", str(folder / "keys" / "ledger"))
        history = History(folder / "ledger.db")
        history.begin(champion=proven)
        record["ledger"] = history.newest()
        forge_record(record)
        assert missing(record) == []
        write_text(artifacts / "lineage.json", canonical_json(record))
        own = champion_scores(artifacts, scores) if proven else None
        history.decide(record, rows, own, ignored_gate=ignored_gate)
    shutil.rmtree(data)
    head = history.ledger.head()
    return Built(
        folder=folder,
        version=history.version,
        data_version=version,
        aliases=history.aliases.get(MODEL),
        tags={**tags_of(record), "patchae.lineage_sha256": digest(record), **history.links()},
        run=run_of(record),
        listing=listing,
        anchor=Anchor(head.seq, Sha256(head.digest)) if proven and head else None,
    )


def _store(data: Path, remote: Path, manifest: pd.DataFrame) -> dict[str, str]:
    """Store the images, and a version of this class, its masks, litter, and another class."""
    listing = {
        "bolt/readme.txt": "2" * 32,
        "bolt/test/good/Thumbs.db": "3" * 32,
        "bolt/ground_truth/hole/999_mask.png": "4" * 32,
        "nut/train/good/000.png": "5" * 32,
    }
    for path in (*manifest["path"], *manifest["mask"].dropna()):
        content = (data / path).read_bytes()
        listing[path] = md5_of(content)
        write_bytes(remote / listing[path], content)
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(listing.items())]
    text = json.dumps(entries).encode()
    write_bytes(remote / f"{md5_of(text)}.dir", text)
    return listing


def _validation(version: DataVersion, classes: ClassDigest, *, passed: bool) -> ValidationRecord:
    codes = ("evaluated", "decodable", "no_leak")
    return ValidationRecord(
        class_name="bolt",
        data_version=version,
        class_digest=classes,
        passed=passed,
        checks=tuple(
            Check(
                code, "error", "It is as it must be", passed, 0 if passed else 1, (), "none", "none"
            )
            for code in codes
        ),
        counts=Counts(24, 6, 6),
        strays_sha256=Sha256("6" * 64),
        compared_with=None,
        appearance=Appearance(1, *[Level(0.5, 0.0)] * 6),
        rules={},
        suite_sha256=Sha256("7" * 64),
        versions={"great_expectations": "1.24.1"},
    )


def _split(manifest: pd.DataFrame) -> str:
    """The first 5 images of train/good calibrate."""
    good = manifest[manifest["split"] == "train"]
    return split_csv(
        Used(path, sha256, "calibration" if number < 5 else "learned")
        for number, (path, sha256) in enumerate(zip(good["path"], good["sha256"], strict=True))
    )


def _scores(manifest: pd.DataFrame) -> str:
    """Good images score 0.1, 0.2 ..., defective ones 0.55, 0.65 ...: one pair is out of order."""
    lines = [",".join(HEADER)]
    seen = {"good": 0, "hole": 0}
    tests = manifest[manifest["split"] == "test"]
    for path, sha256, defect in zip(tests["path"], tests["sha256"], tests["defect"], strict=True):
        seen[defect] += 1
        score = seen[defect] / 10 + (0.45 if defect != "good" else 0.0)
        values = (path, sha256, defect, int(defect != "good"), repr(score))
        lines.append(",".join(map(str, (*values, int(score > THRESHOLD)))))
    return "\n".join(lines) + "\n"
