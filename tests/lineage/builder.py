"""A model version with everything that an audit looks at, made on the spot.

`build` writes what an honest run writes. Its options make runs that were dishonest from the start,
where every digest fits and only a recomputation shows it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from patchae.config import Gates, Training
from patchae.dataset.manifest import class_digest, read_manifest, to_csv
from patchae.dataset.validation.drift import Appearance, Level
from patchae.dataset.validation.record import Check, Counts, ValidationRecord
from patchae.evidence.scores import HEADER, Scored, read_scores
from patchae.files import canonical_json, sha256_bytes, sha256_file, write_json, write_text
from patchae.lineage.audit import Material
from patchae.lineage.environment import COMPONENTS_FILE, components
from patchae.lineage.ranks import image_auroc
from patchae.lineage.record import build as build_record
from patchae.lineage.record import digest, missing
from patchae.lineage.split_file import SPLIT_FILE, Used, split_csv
from patchae.registry.evidence import evidence_of, intervals
from patchae.registry.gates import judge
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import promote
from patchae.types import ClassDigest, DataVersion, Sha256
from tests.registry.memory import MODEL, MemoryAliases
from tests.support import write_class

VERSION = DataVersion("1" * 32 + ".dir")
RUN = "4d1f0c6e9a5b4a3f8f5f2f3e6f7a8b9c"
THRESHOLD = 0.5
LAX = Gates(min_image_auroc=0.5, max_false_alarms=1)
PACKAGES = {"numpy": "2.3.1", "torch": "2.14.1"}


@dataclass
class Built:
    """One version on disk, and the store of its images in memory."""

    folder: Path
    aliases: dict[str, str]
    tags: dict[str, str]
    listing: dict[str, str]
    objects: set[str]

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.db")

    def copy(self, folder: Path) -> Built:
        """The same version in another folder, to be tampered with."""
        shutil.copytree(self.folder, folder)
        return Built(
            folder, dict(self.aliases), dict(self.tags), dict(self.listing), set(self.objects)
        )

    def material(self, **changes: Any) -> Material:
        """What there is to audit."""
        stored: Callable[[Iterable[str]], set[str]] = lambda md5s: set(md5s) & self.objects  # noqa: E731
        material = Material(
            model=MODEL,
            version="1",
            alias="champion",
            aliases=self.aliases,
            tags=self.tags,
            entries=self.ledger.entries(),
            faults=self.ledger.verify(),
            artifacts=self.artifacts,
            model_folder=self.model,
            listing=lambda version: self.listing if version == VERSION else {},
            stored=stored,
        )
        return replace(material, **changes)


def unchanged(text: str) -> str:
    """The forger who does nothing."""
    return text


def build(
    folder: Path,
    *,
    leak: bool = False,
    failed_validation: bool = False,
    ignored_gate: bool = False,
    claimed_auroc: float | None = None,
    forge: Mapping[str, Callable[[str], str]] | None = None,
    forge_record: Callable[[dict[str, Any]], object] = lambda record: None,
) -> Built:
    """Train, judge and promote version 1 of `sample.bolt`, all pretended; 24 + 6 + 6 images.

    `forge` changes the text of manifest.csv, split.csv or scores.csv, `forge_record` the record,
    before any digest of it is taken.
    """
    forgers = forge or {}
    data = folder / "data"
    write_class(data, "bolt")
    if leak:
        shutil.copy(data / "bolt/train/good/003.png", data / "bolt/test/good/002.png")
    manifest = read_manifest(data, "bolt")
    listing = _listing(manifest)
    artifacts = folder / "artifacts"
    table = forgers.get("manifest.csv", unchanged)(to_csv(manifest))
    write_text(artifacts / "manifest.csv", table)
    classes = class_digest(manifest)
    validation = _validation(classes, passed=not failed_validation)
    write_json(artifacts / "validation.json", validation.to_dict())
    honest = _scores(manifest)
    scores = forgers.get("scores.csv", unchanged)(honest)
    write_text(artifacts / "scores.csv", scores)
    write_text(folder / "model" / "MLmodel", "flavors: {}\n")
    write_text(folder / "model" / "artifacts" / "model.safetensors", "weights")
    rows = read_scores(scores if scores.startswith("path,") else honest)
    auroc = image_auroc([row.label for row in rows], [row.score for row in rows])
    record = _record(folder, classes, validation, rows)
    record["data"]["manifest_sha256"] = sha256_bytes(table.encode())
    record["evaluation"]["image_auroc"] = auroc if claimed_auroc is None else claimed_auroc
    record["evaluation"]["scores_sha256"] = sha256_bytes(scores.encode())
    split = forgers.get(SPLIT_FILE, unchanged)(_split(manifest))
    write_text(artifacts / SPLIT_FILE, split)
    write_text(artifacts / COMPONENTS_FILE, components(PACKAGES))
    record["training"]["split_sha256"] = sha256_bytes(split.encode())
    forge_record(record)
    assert missing(record) == []
    write_text(artifacts / "lineage.json", canonical_json(record))
    aliases = _decide(folder, record, rows, ignored_gate=ignored_gate)
    shutil.rmtree(data)
    return Built(
        folder=folder,
        aliases=aliases,
        tags={
            "patchae.training_key": record["training_key"],
            "patchae.lineage_sha256": digest(record),
            "patchae.line": "sample",
            "patchae.class": "bolt",
            "patchae.data_version": VERSION,
        },
        listing=listing,
        objects=set(listing.values()),
    )


def _listing(manifest: pd.DataFrame) -> dict[str, str]:
    """The whole data version: this class, its masks, litter, and another class."""
    masks = {mask: f"{number:032x}" for number, mask in enumerate(manifest["mask"].dropna())}
    others = {
        "bolt/readme.txt": "2" * 32,
        "bolt/test/good/Thumbs.db": "3" * 32,
        "bolt/ground_truth/hole/999_mask.png": "4" * 32,
        "nut/train/good/000.png": "5" * 32,
    }
    return {**dict(zip(manifest["path"], manifest["md5"], strict=True)), **masks, **others}


def _validation(classes: ClassDigest, *, passed: bool) -> ValidationRecord:
    codes = ("evaluated", "decodable", "no_leak")
    return ValidationRecord(
        class_name="bolt",
        data_version=VERSION,
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


def _record(
    folder: Path, classes: ClassDigest, validation: ValidationRecord, rows: list[Scored]
) -> dict[str, Any]:
    """A whole record; `build` fills in the digests of what may be forged."""
    model = folder / "model"
    files = [path for path in sorted(model.rglob("*")) if path.is_file()]
    return build_record(
        line="sample",
        class_name="bolt",
        training_key="8" * 64,
        data={
            "version": VERSION,
            "class_digest": classes,
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
            "recall": 1.0,
            "false_alarm_rate": 1 / 6,
            "n_good": sum(not row.label for row in rows),
            "n_defect": sum(row.label for row in rows),
            "recall_by_defect": {"hole": {"found": 6, "n": 6}},
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
            "started": "2026-05-01T10:00:00.000000Z",
            "finished": "2026-05-01T10:00:12.500000Z",
        },
    )


def _decide(
    folder: Path, record: dict[str, Any], rows: list[Scored], *, ignored_gate: bool
) -> dict[str, str]:
    """Register, judge and promote, whatever the gate says; `ignored_gate` asks for too much."""
    ledger, aliases = Ledger(folder / "ledger.db"), MemoryAliases()
    ledger.append("verdict", "other.model", {**_other_verdict(), "version": "1"}, "tester")
    registered = {
        "version": "1",
        "run_id": RUN,
        "training_key": record["training_key"],
        "lineage_sha256": digest(record),
    }
    ledger.append("registered", MODEL, registered, "tester")
    evidence = evidence_of(
        rows,
        champion=None,
        ms_per_image=record["evaluation"]["ms_per_image"],
        validation_passed=record["validation"]["passed"],
        lineage_complete=True,
        data_recorded=None,
    )
    verdict = judge(evidence, Gates(min_image_auroc=0.995) if ignored_gate else LAX)
    if verdict.outcome != "promote":
        honest = judge(evidence.model_copy(update={"validation_passed": True}), LAX)
        verdict = replace(verdict, outcome="promote", reasons=honest.reasons)
    body = verdict.to_body("1", scores_sha256=record["evaluation"]["scores_sha256"])
    row = ledger.append("verdict", MODEL, body, "tester")
    promote(ledger, aliases, MODEL, "1", verdict=row, actor="tester")
    return aliases.get(MODEL)


def _other_verdict() -> dict[str, Any]:
    keys = ("outcome", "reasons", "evidence", "policy", "champion")
    return dict.fromkeys((*keys, "scores_sha256", "champion_scores_sha256"))
