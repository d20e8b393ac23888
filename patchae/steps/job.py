"""One class to retrain: everything that its steps need to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.config import Line
from patchae.dataset.validation.record import ValidationRecord
from patchae.lineage.parts import Trigger
from patchae.project import Project
from patchae.types import ClassDigest, DataVersion, TrainingKey

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Origin:
    """Why a retraining runs, and what in Prefect it runs for; a run by hand has nothing of that."""

    reason: str
    """In words, for the ledger."""
    trigger: Trigger = "person"
    flow_run_id: str | None = None
    deployment: str | None = None
    work_pool: str | None = None
    started_by: str | None = None
    """Who or what had it started; None: nobody knows."""

    @property
    def sentence(self) -> str:
        """Why it runs and who had it started, for people."""
        by = f", started by {self.started_by}" if self.started_by else ""
        return f"{self.trigger.replace('_', ' ')}: {self.reason}{by}"

    def to_record(self) -> dict[str, Any]:
        """What a lineage record says of it."""
        return {
            "prefect_flow_run_id": self.flow_run_id,
            "prefect_deployment": self.deployment,
            "work_pool": self.work_pool,
            "trigger": self.trigger,
            "reason": self.reason,
            "started_by": self.started_by,
        }


@dataclass(frozen=True)
class ClassJob:
    """A class whose images are versioned and passed validation."""

    project: Project
    line: Line
    class_name: str
    data_version: DataVersion
    manifest: pd.DataFrame
    digest: ClassDigest
    validation: ValidationRecord
    key: TrainingKey
    origin: Origin

    @property
    def model(self) -> str:
        """Name of the registered model."""
        return self.line.model_name(self.class_name)

    @property
    def train_rows(self) -> pd.DataFrame:
        """The rows of train/good: what is learned and calibrated."""
        good = self.manifest["defect"] == "good"
        return self.manifest[(self.manifest["split"] == "train") & good]

    @property
    def test_rows(self) -> pd.DataFrame:
        """The rows of test/: what a model is judged on."""
        return self.manifest[self.manifest["split"] == "test"]

    @property
    def folder(self) -> Path:
        """Where the work on this key lies until it is registered, and after."""
        return self.project.work / self.model / self.key

    @property
    def trained(self) -> Path:
        """The trained model: `model/` and `training.json`."""
        return self.folder / "trained"

    @property
    def evaluated(self) -> Path:
        """What becomes the run's artifacts: scores, metrics, charts, heat maps."""
        return self.folder / "evaluated"
