"""`patchae reproduce`: the version is trained again from its record, and held against it.

Only reads the project: images come from the store of DVC by content, code from a Git worktree or
the installed patchae, and both lie, with the new model, in one folder that is removed in the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from patchae.dataset.restoring import lay_out
from patchae.errors import AuditBroken
from patchae.files import Progress, sha256_file, silent
from patchae.lineage.contents import manifest as manifest_holds
from patchae.lineage.decisions import registered
from patchae.lineage.ledger_view import sound_entries
from patchae.lineage.material import Broken, Facts, Material, NotCheckable
from patchae.lineage.naming import resolve
from patchae.lineage.ranks import image_auroc
from patchae.lineage.record import LineageRecord
from patchae.lineage.reproduce.again import WEIGHTS, train_again
from patchae.lineage.reproduce.code import Origin, clear, code_of
from patchae.lineage.reproduce.compare import Difference, Rebuilt, differences
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking
from patchae.types import DataVersion

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["identical", "equivalent", "different"]
"""`equivalent`: other weights, and an image AUROC within the recorded interval."""


@dataclass(frozen=True)
class Reproduction:
    """What came of it."""

    model: str
    version: str
    outcome: Outcome
    recorded: LineageRecord
    rebuilt: Rebuilt
    image_auroc: float | None
    """Of the new model on the recorded test images; None where it need not be asked or has none."""
    code: Origin
    differences: tuple[Difference, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, as `docs/json.md` documents it."""
        told = self.recorded.evaluation
        return {
            "model": self.model,
            "version": self.version,
            "outcome": self.outcome,
            "weights_sha256": self.recorded.files[WEIGHTS].sha256,
            "rebuilt_sha256": self.rebuilt.weights_sha256,
            "image_auroc": told.image_auroc,
            "image_auroc_interval": told.image_auroc_interval or [],
            "rebuilt_image_auroc": self.image_auroc,
            "code": self.code,
            "git_commit": self.recorded.source.git_commit,
            "differences": [
                {"what": one.what, "recorded": one.recorded, "found": one.found}
                for one in self.differences
            ],
            "seconds": round(self.seconds, 1),
        }


def reproduce(
    project: Project,
    tracking: Tracking,
    name: str,
    *,
    anyway: bool = False,
    progress: Progress = silent,
) -> Reproduction:
    """Train a version again from its lineage record and compare.

    Args:
        project: the project; nothing of it changes but that DVC's cache may be filled.
        tracking: its MLflow.
        name: `MODEL`, `MODEL/VERSION` or `MODEL@ALIAS`.
        anyway: train with the installed patchae although its source is not the recorded one.
        progress: called while images are fetched and the model is trained.

    Raises:
        UsageError: there is no such version; its source is neither in Git nor installed, or cannot
            train here.
        AuditBroken: the record, or the list of images, is not the one that the ledger vouches for.
        DataError: an image of the data version cannot be had.
        StoreUnreachable: MLflow, the ledger or the store of images cannot be used.
        StoreBusy: another reproduction runs in this project.
    """
    started = time.monotonic()
    model, version, _ = resolve(project, tracking, name)
    record, rows = _recorded(project, tracking, model, version)
    with _workspace(project) as folder:
        code = code_of(project, record.source, folder, f"{model}/{version}", anyway=anyway)
        data = folder / "data"
        lay_out(project, DataVersion(record.data.version), [record.class_name], data, progress)
        _require_images(data, rows)
        rebuilt = train_again(folder, code, record, rows, progress)
    auroc = _auroc(rows, rebuilt)
    return Reproduction(
        model=model,
        version=version,
        outcome=judge(record, rebuilt.weights_sha256, auroc),
        recorded=record,
        rebuilt=rebuilt,
        image_auroc=auroc,
        code=code.origin,
        differences=differences(record, rebuilt),
        seconds=time.monotonic() - started,
    )


def judge(record: LineageRecord, weights_sha256: str, auroc: float | None) -> Outcome:
    """What the new weights and their image AUROC say.

    Without a recorded interval, which few images leave out, only the recorded number itself is
    equivalent.
    """
    if weights_sha256 == record.files[WEIGHTS].sha256:
        return "identical"
    told = record.evaluation
    if auroc is None or told.image_auroc is None:
        return "different"
    low, high = told.image_auroc_interval or (told.image_auroc, told.image_auroc)
    return "equivalent" if low - 1e-9 <= auroc <= high + 1e-9 else "different"


@contextmanager
def _workspace(project: Project) -> Iterator[Path]:
    folder = project.state / "reproduce"
    with project.lock("reproduce", timeout=0):
        clear(project, folder)  # what a killed one left
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            clear(project, folder)


def _recorded(
    project: Project, tracking: Tracking, model: str, version: str
) -> tuple[LineageRecord, pd.DataFrame]:
    """The record and the list of images, both proven: a forged one would prove itself."""
    known = tracking.version(model, version)
    facts = Facts(
        Material(
            model=model,
            version=version,
            # All of them: its record may follow a row on another model.
            entries=sound_entries(Ledger.of(project)),
            artifacts=tracking.artifacts(known),
        )
    )
    try:
        registered(facts)
        manifest_holds(facts)
        facts.record.files[WEIGHTS]
    except (Broken, NotCheckable, KeyError) as error:
        raise AuditBroken(
            f"version {version} of {model} cannot be reproduced: {error}",
            where="MLflow",
            mend=f"`patchae audit {model}/{version}` says more",
        ) from None
    return facts.record, facts.manifest


def _require_images(data: Path, rows: pd.DataFrame) -> None:
    for path, sha256 in zip(rows["path"], rows["sha256"], strict=True):
        if not (data / path).is_file() or sha256_file(data / path) != sha256:
            raise AuditBroken(
                f"{path}: the data version holds another image than the version was trained on",
                where="the store of the images",
                mend="`patchae audit` says more; restore the images from a backup of the remote",
            )


def _auroc(rows: pd.DataFrame, rebuilt: Rebuilt) -> float | None:
    if not rebuilt.scores:
        return None
    labels = [int(one != "good") for one in rows[rows["split"] == "test"]["defect"]]
    found = image_auroc(labels, rebuilt.scores)
    return None if math.isnan(found) else found
