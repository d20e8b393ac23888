"""From a registered version to the model in memory."""

from __future__ import annotations

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
    from patchae.model.detector import PatchAE
    from patchae.model.training import pick_device

    folder = tracking.model_folder(version) / WEIGHTS_FOLDER
    return PatchAE.load(folder, pick_device(settings().device))
