"""A project with real data versions and registered versions, none of them trained.

Images, snapshots, manifests and the ledger are real; a model's artifacts are what a run writes,
with the record of `builder` for all that a trace does not look at.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from patchae.dataset.manifest import class_digest, read_manifest, to_csv
from patchae.dataset.version import snapshot
from patchae.evidence.scores import HEADER
from patchae.files import canonical_json, digest_json, sha256_bytes, write_text
from patchae.lineage.split_file import SPLIT_FILE, Used, split_csv
from patchae.lineage.trace.answer import Answer, trace
from patchae.lineage.trace.asked import asked
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import champion_of
from patchae.types import DataVersion
from tests.support import write_class, write_image
from tests.support.lineage.builder import Built


class Works:
    """A project to trace in."""

    def __init__(self, project: Project, honest: Built) -> None:
        self._honest = honest
        self.project = project
        self.ledger = Ledger.of(project)
        self.runs = project.root / "runs"
        self.fetched: list[str] = []
        self._record: dict[str, Any] = json.loads((honest.artifacts / "lineage.json").read_text())
        self._written = 0

    def copy(self, root: Path) -> Works:
        """The same project in another folder."""
        shutil.copytree(self.project.root, root)
        works = Works(Project(root), self._honest)
        works._written = self._written
        return works

    def write_class(self, name: str) -> None:
        """A class of 8 + 2 + 2 images."""
        self._written += 1
        write_class(
            self.project.data, name, train_good=8, test_good=2, test_defect=2, seed=self._written
        )

    def image(self, path: str) -> Path:
        """A new image in data/."""
        self._written += 1
        file = self.project.data / path
        write_image(file, 1_000_000 + self._written)
        return file

    def snapshot(self) -> DataVersion:
        """A data version of data/ as it is."""
        return snapshot(self.project).version

    def register(self, model: str, *, calibration: int = 2) -> Entry:
        """A version of a model, trained on data/ as it is; the first images calibrate."""
        line, _, class_name = model.partition(".")
        version = self.snapshot()
        manifest = read_manifest(self.project.data, class_name)
        good = manifest[manifest["split"] == "train"]
        uses = ["calibration" if number < calibration else "learned" for number in range(len(good))]
        split = split_csv(map(Used, good["path"], good["sha256"], uses))
        tests = manifest[manifest["split"] == "test"]
        scores = [",".join(HEADER)] + [
            f"{path},{sha256},{defect},{int(defect != 'good')},0.5,0"
            for path, sha256, defect in zip(
                tests["path"], tests["sha256"], tests["defect"], strict=True
            )
        ]
        texts = {
            "manifest.csv": to_csv(manifest),
            SPLIT_FILE: split,
            "scores.csv": "\n".join(scores) + "\n",
        }
        number = str(len(self.registered(model)) + 1)
        run = f"{model}-{number}"
        record = json.loads(canonical_json(self._record))
        record.update({"line": line, "class": class_name, "model": model})
        record["data"].update(version=version, class_digest=class_digest(manifest))
        record["data"]["manifest_sha256"] = sha256_bytes(texts["manifest.csv"].encode())
        record["training"]["split_sha256"] = sha256_bytes(split.encode())
        record["evaluation"]["scores_sha256"] = sha256_bytes(texts["scores.csv"].encode())
        texts["lineage.json"] = canonical_json(record)
        for name, text in texts.items():
            write_text(self.runs / run / name, text)
        body = {
            "version": number,
            "run_id": run,
            "training_key": "8" * 64,
            "lineage_sha256": digest_json(record),
        }
        return self.ledger.append("registered", model, body, "tester")

    def registered(self, model: str) -> list[Entry]:
        """The registrations of a model."""
        return [row for row in self.ledger.entries(model) if row.kind == "registered"]

    def move(self, model: str, version: str, why: str = "promoted") -> Entry:
        """Make a version champion."""
        body = {
            "to": version,
            "from": champion_of(self.ledger.entries(model)).current,
            "why": why,
            "reason": "",
            "verdict": None,
        }
        return self.ledger.append("move", model, body, "tester")

    def artifacts(self, run: str) -> Path:
        """The artifacts of a run; notes that they were asked for."""
        self.fetched.append(run)
        return self.runs / run

    def trace(self, *words: object, **more: Any) -> Answer:
        """The answer on files, digests or paths."""
        wanted = asked(self.project, map(str, words))
        return trace(self.project, self.ledger, wanted, artifacts=self.artifacts, **more)
