"""From a registered version to the model in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from patchae.registry.tracking import Tracking, Version
from patchae.settings import settings

if TYPE_CHECKING:
    from patchae.model.detector import PatchAE

WEIGHTS_FOLDER = "artifacts/model"
"""Where MLflow puts the folder that the scorer calls `model`."""


def load_version(tracking: Tracking, version: Version) -> PatchAE:
    """The model of a version, on the device that `PATCHAE_DEVICE` names.

    Raises:
        DataError: its files are gone, damaged, or of another format.
        StoreUnreachable: MLflow does not answer.
    """
    return load_model(tracking.model_folder(version))


def load_model(folder: Path) -> PatchAE:
    """The model in the folder of an MLflow model; otherwise as `load_version`."""
    from patchae.model.detector import PatchAE
    from patchae.model.training import pick_device

    return PatchAE.load(folder / WEIGHTS_FOLDER, pick_device(settings().device))
