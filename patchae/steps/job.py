"""One class to retrain: everything that its steps need to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.config import Line
from patchae.dataset.validation.record import ValidationRecord
from patchae.project import Project
from patchae.types import ClassDigest, DataVersion, TrainingKey

if TYPE_CHECKING:
    import pandas as pd


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
    reason: str
    """Why this retraining runs, in words."""
    flow_run_id: str | None
    """Prefect's id of the run; None when the steps are called without Prefect."""

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
