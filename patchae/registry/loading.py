"""From a registered version to the model in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.errors import DataError
from patchae.registry.ledger import Ledger
from patchae.registry.standing import threshold_in_force
from patchae.registry.threshold import MOVED, apply
from patchae.registry.tracking import TAG, Tracking, Version
from patchae.settings import settings

if TYPE_CHECKING:
    from patchae.model.detector import PatchAE

LET_GO = f"{TAG}ledger_tidied"
"""Tag of a version whose weights are gone: the row that let them go."""
WEIGHTS_FOLDER = "artifacts/model"
"""Where MLflow puts the folder that the scorer calls `model`."""
FACTS = f"{WEIGHTS_FOLDER}/model.json"
"""Everything about a training that is no tensor; small, and it stays when weights are let go."""


def load_version(tracking: Tracking, version: Version, device: str | None = None) -> PatchAE:
    """The model of a version as it was trained.

    Args:
        tracking: where it is registered.
        version: it.
        device: `cpu` or `cuda`; None: what `PATCHAE_DEVICE` names.

    Raises:
        DataError: its files are gone, damaged, or of another format; or its weights were let go by
            the retention policy.
        ConfigError: there is no such device.
        StoreUnreachable: MLflow does not answer.
    """
    if row := version.tags.get(LET_GO):
        raise DataError(
            f"the weights of {version.model}/{version.version} were let go by the retention policy",
            where=f"row {row.partition(':')[0]} of the ledger",
            mend=f"`patchae reproduce {version.model}/{version.version}` trains it again to"
            " compare",
        )
    return load_model(tracking.model_folder(version), device)


def load_in_use(
    tracking: Tracking, ledger: Ledger, version: Version, device: str | None = None
) -> PatchAE:
    """The model of a version at the threshold that is in force; otherwise as `load_version`."""
    rows = ledger.entries(version.model, MOVED)
    return apply(load_version(tracking, version, device), threshold_in_force(rows, version.version))


def facts_of(tracking: Tracking, version: Version) -> dict[str, Any]:
    """What `model.json` of a version says, without loading the model; empty where it is gone.

    Raises:
        StoreUnreachable: MLflow does not answer.
    """
    try:
        return dict(json.loads((tracking.model_folder(version, FACTS) / FACTS).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def load_model(folder: Path, device: str | None = None) -> PatchAE:
    """The model in the folder of an MLflow model; otherwise as `load_version`."""
    from patchae.model.detector import PatchAE
    from patchae.model.training import pick_device

    return PatchAE.load(folder / WEIGHTS_FOLDER, device or pick_device(settings().device))
