"""A project whose versions are pretended and whose stores are real: MLflow, files and ledger.

A version takes a fraction of a second instead of a training, and holds what tidying looks at: a
run with artifacts, a model with weights, a lineage record that the ledger vouches for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from patchae.files import digests_of, write_json, write_text
from patchae.project import Project, prepare_environment
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import promote, rollback
from patchae.registry.registration import Training, register
from patchae.registry.standing import last_verdict, let_go
from patchae.registry.tracking import TAG, Tracking, Version
from patchae.steps.tidy import Removed, Tidying, look
from patchae.types import DataVersion, Sha256, TrainingKey
from tests.support.registry.memory import MODEL, judged

LINE, CLASS = MODEL.split(".")
POLICY = {"keep_last": 1}
LATER = timedelta(days=400)


class Dead(BaseException):
    """The process ends here."""


class Shop:
    """One model `sample.bolt`, with versions as a story needs them."""

    def __init__(self, root: Path, policy: Mapping[str, Any] | None = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.project = Project(root)
        lines = {LINE: {"classes": [CLASS]}}
        self.project.lines_file.write_text(
            yaml.safe_dump({"lines": lines, "retention": {**POLICY, **(policy or {})}})
        )
        prepare_environment(self.project)
        self.tracking = Tracking.open(self.project)
        self.ledger = Ledger.of(self.project)
        self._made = 0

    def training(self) -> Training:
        """One more pretended training, whose files lie in the project's work."""
        self._made += 1
        key = TrainingKey(f"{self._made:064d}")
        folder = self.project.work / MODEL / key
        model, artifacts = folder / "trained" / "model", folder / "evaluated"
        write_text(model / "model.safetensors", f"weights {self._made} " * 5000)
        write_json(model / "model.json", {"number": self._made})
        write_text(artifacts / "scores.csv", f"scores {self._made}\n")
        write_text(artifacts / "maps" / "00.png", "picture")
        return Training(
            line=LINE,
            class_name=CLASS,
            key=key,
            data_version=DataVersion("1" * 32 + ".dir"),
            source=Sha256("2" * 64),
            data_source={},
            model_folder=model,
            artifacts=artifacts,
            params={"seed": 0},
            metrics={"image_auroc": 0.9},
            losses=(0.5,),
        )

    def register(self) -> Version:
        """A version in MLflow and in the ledger."""
        training = self.training()

        def record(run_id: str, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
            return {"run": run_id, "files": {name: dict(file) for name, file in files.items()}}

        version = register(self.tracking, training, record)
        body = {
            "version": version.version,
            "run_id": version.run_id,
            "training_key": training.key,
            "lineage_sha256": version.tags[f"{TAG}lineage_sha256"],
        }
        self.ledger.append("registered", MODEL, body, "tester")
        return version

    def rejected(self) -> str:
        """A version that the gate did not let pass."""
        version = self.register().version
        judged(self.ledger, version, 0.3)
        return version

    def champion(self) -> str:
        """A version that is champion from now on."""
        version = self.register().version
        judged(self.ledger, version)
        self.promote(version)
        return version

    def promote(self, version: str) -> None:
        """Make a version champion on its verdict."""
        verdict = last_verdict(self.entries, version)
        assert verdict is not None
        promote(self.ledger, self.tracking.aliases, MODEL, version, verdict=verdict, actor="tester")

    def rollback(self, to: str | None = None) -> None:
        """Return to an earlier champion."""
        rollback(self.ledger, self.tracking.aliases, MODEL, to=to, actor="tester", reason="a story")

    def cut_off(self, at: str, status: str | None = "FAILED") -> str:
        """A registration that ends half-way, at a call of MLflow's client; the run's id.

        Its process then says what became of the run, or nothing at all (None).
        """
        client = self.tracking.client

        def die(*_: object, **__: object) -> None:
            raise Dead

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, at, die)
            if status is None:
                patch.setattr(client, "set_terminated", lambda *_: None)
            with pytest.raises(Dead):
                register(self.tracking, self.training(), lambda *_: {})
        (run, *_) = client.search_runs(
            [self.tracking.experiment(LINE)], order_by=["attributes.start_time DESC"]
        )
        return str(run.info.run_id)

    @property
    def entries(self) -> list[Entry]:
        """The rows on the model."""
        return self.ledger.entries(MODEL)

    @property
    def gone(self) -> set[str]:
        """The versions that let go of their weights, by the ledger."""
        return set(let_go(self.entries))

    def look(self, after: timedelta = LATER) -> Tidying:
        """What may go, some time later."""
        return look(self.project, clock=lambda: datetime.now(UTC) + after)

    def tidy(self, after: timedelta = LATER) -> list[Removed]:
        """Tidy, some time later."""
        return list(self.look(after).carry_out())

    def files(self, version: str) -> set[str]:
        """The files of a version's model, in the store itself."""
        known = self.tracking.version(MODEL, version)
        return set(digests_of(self.tracking.model_folder(known)))

    def artifacts(self, run_id: str) -> set[str]:
        """The artifacts of a run, in the store itself."""
        return {item.path for item in self.tracking.client.list_artifacts(run_id)}

    def require_what_the_ledger_names(self) -> None:
        """Every run, record, file and digest that a row names is there, but for weights let go."""
        for row in self.entries:
            if row.kind != "registered":
                continue
            body = row.body
            version = self.tracking.version(MODEL, body["version"])
            run = self.tracking.client.get_run(body["run_id"])
            assert run.info.lifecycle_stage == "active"
            folder = self.tracking.artifacts(version)
            record = json.loads((folder / "lineage.json").read_text())
            assert version.tags[f"{TAG}lineage_sha256"] == body["lineage_sha256"]
            assert (folder / "scores.csv").is_file()
            wanted = {name: file["sha256"] for name, file in record["files"].items()}
            if body["version"] in self.gone:
                del wanted["artifacts/model/model.safetensors"]
            found = digests_of(self.tracking.model_folder(version))
            found.pop("registered_model_meta", None)
            assert found == wanted
