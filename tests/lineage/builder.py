"""A model version with everything that an audit looks at, made on the spot.

`build` writes what an honest run writes. Its options make runs that were dishonest from the start,
where every digest fits and only a recomputation shows it. The clock of the ledger stands in May
2026, so that a version is the same whenever it is built.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from patchae.config import Training
from patchae.dataset.manifest import class_digest, read_manifest, to_csv
from patchae.dataset.objects import State
from patchae.dataset.validation.drift import Appearance, Level
from patchae.dataset.validation.record import Check, Counts, ValidationRecord
from patchae.evidence.scores import HEADER, Scored, read_scores
from patchae.files import (
    canonical_json,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_json,
    write_text,
)
from patchae.lineage.audit import Material
from patchae.lineage.environment import COMPONENTS_FILE, components
from patchae.lineage.ledger_view import view
from patchae.lineage.probe import FOLDER, probe_of
from patchae.lineage.ranks import image_auroc
from patchae.lineage.record import build as build_record
from patchae.lineage.record import digest, missing
from patchae.lineage.split_file import SPLIT_FILE, Used, split_csv
from patchae.registry.evidence import intervals
from patchae.registry.export import Anchor
from patchae.registry.ledger import Ledger
from patchae.registry.runs import LoggedRun
from patchae.registry.signing import Signer, generate
from patchae.types import ClassDigest, DataVersion, Sha256
from tests.lineage.history import LAX, RUN, History, champion_scores
from tests.registry.memory import MODEL
from tests.support import write_class

THRESHOLD = 0.5
MADE = "2026-05-01T09:30:00+00:00"
"""When the data version was made."""
STARTED, FINISHED = "2026-05-01T10:00:00.000000Z", "2026-05-01T10:00:12.500000Z"
PACKAGES = {"numpy": "2.3.1", "torch": "2.14.1"}


@dataclass
class Built:
    """One version on disk: its files, the store of its images, and the ledger; MLflow in memory."""

    folder: Path
    version: str
    data_version: DataVersion
    aliases: dict[str, str]
    tags: dict[str, str]
    run: LoggedRun
    listing: dict[str, str]
    made: str | None = MADE
    """When the data version was made, as the version log has it."""
    policy: dict[str, Any] = field(default_factory=lambda: LAX.model_dump(mode="json"))
    """The gates in `lines.yaml`."""
    anchor: Anchor | None = None
    """What the auditor noted of the ledger."""

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def remote(self) -> Path:
        """The store of the images: objects by their names."""
        return self.folder / "remote"

    @property
    def key(self) -> Path:
        """The private key that the ledger is signed with, where it is."""
        return self.folder / "keys" / "ledger"

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.db")

    def copy(self, folder: Path) -> Built:
        """The same version in another folder, to be tampered with."""
        shutil.copytree(self.folder, folder)
        return replace(deepcopy(self), folder=folder)

    def stored(self, md5s: Iterable[str]) -> set[str]:
        """As `patchae.dataset.version.stored`."""
        return {md5 for md5 in md5s if (self.remote / md5).is_file()}

    def states(self, names: Iterable[str]) -> dict[str, State]:
        """As `patchae.dataset.version.stored_states`."""
        found: dict[str, State] = {}
        for name in names:
            file = self.remote / name
            whole = file.is_file() and _md5(file.read_bytes()) == name.removesuffix(".dir")
            found[name] = "whole" if whole else "damaged" if file.is_file() else "missing"
        return found

    def material(self, **changes: Any) -> Material:
        """What there is to audit, for somebody who holds the public key and the anchor."""
        trusted = [Signer.read(self.key).public] if self.key.is_file() else None
        book = view(self.ledger, trusted, self.anchor)
        material = Material(
            model=MODEL,
            version=self.version,
            alias="champion",
            aliases=self.aliases,
            tags=self.tags,
            run=self.run,
            entries=book.entries,
            faults=book.faults,
            proven=book.proven,
            policy=self.policy,
            artifacts=self.artifacts,
            model_folder=self.model,
            listing=lambda version: self.listing if version == self.data_version else {},
            stored=self.stored,
            states=self.states,
            made=lambda version: self.made if version == self.data_version else None,
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
    record = _record(folder, validation, rows)
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
        tags={**_tags(record), "patchae.lineage_sha256": digest(record), **history.links()},
        run=_run(record),
        listing=listing,
        anchor=Anchor(head.seq, Sha256(head.digest)) if proven and head else None,
    )


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


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
        listing[path] = _md5(content)
        write_bytes(remote / listing[path], content)
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(listing.items())]
    text = json.dumps(entries).encode()
    write_bytes(remote / f"{_md5(text)}.dir", text)
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


def _record(folder: Path, validation: ValidationRecord, rows: list[Scored]) -> dict[str, Any]:
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


def _tags(record: dict[str, Any]) -> dict[str, str]:
    return {
        "patchae.training_key": record["training_key"],
        "patchae.line": record["line"],
        "patchae.class": record["class"],
        "patchae.data_version": record["data"]["version"],
    }


def _run(record: dict[str, Any]) -> LoggedRun:
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
        tags=_tags(record),
        params={name: str(value) for name, value in settings.items()},
        metrics={**plain, "training_seconds": record["training"]["seconds"], "loss": 0.25},
    )
