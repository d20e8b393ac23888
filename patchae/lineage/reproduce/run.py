"""`patchae reproduce`: the version is trained again from its record, and held against it.

Only reads the project: images come from the store of DVC by content, code from a Git worktree or
the installed patchae, and both lie, with the new model, in one folder that is removed in the end.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from patchae.dataset.restoring import lay_out
from patchae.errors import AuditBroken, UsageError
from patchae.files import Progress, sha256_file, silent, write_json
from patchae.lineage.contents import manifest as manifest_holds
from patchae.lineage.decisions import registered
from patchae.lineage.environment import environment_of
from patchae.lineage.gather import resolve
from patchae.lineage.material import Broken, Facts, Material, NotCheckable
from patchae.lineage.ranks import image_auroc
from patchae.lineage.record import LineageRecord
from patchae.lineage.reproduce.code import Code, Origin, clear, code_of
from patchae.lineage.reproduce.compare import Difference, Rebuilt, differences
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.loading import WEIGHTS_FOLDER
from patchae.registry.tracking import Tracking
from patchae.types import DataVersion

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["identical", "equivalent", "different"]
"""`equivalent`: other weights, and an image AUROC within the recorded interval."""

_WEIGHTS = f"{WEIGHTS_FOLDER}/model.safetensors"
_WORKER = Path(__file__).with_name("worker.py")


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
            "weights_sha256": self.recorded.files[_WEIGHTS].sha256,
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
    if weights_sha256 == record.files[_WEIGHTS].sha256:
        return "identical"
    told = record.evaluation
    low, high = told.image_auroc_interval or (told.image_auroc, told.image_auroc)
    within = auroc is not None and low - 1e-9 <= auroc <= high + 1e-9
    return "equivalent" if within else "different"


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
            entries=Ledger.of(project).entries(),  # its record may follow a row on another model
            artifacts=tracking.artifacts(known),
        )
    )
    try:
        registered(facts)
        manifest_holds(facts)
        facts.record.files[_WEIGHTS]
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


def train_again(
    folder: Path,
    code: Code,
    record: LineageRecord,
    rows: pd.DataFrame,
    progress: Progress = silent,
) -> Rebuilt:
    """Train from a record with some code, in a process of its own.

    Args:
        folder: holds the images under `data/`; model and log are written beside.
        code: the source that trains.
        record: says how.
        rows: the list of images.
        progress: called while it trains.

    Raises:
        UsageError: this code cannot train here.
    """
    from patchae.model.training import pick_device

    recorded = record.environment
    device = recorded.device if recorded.device == "cpu" else pick_device("auto")
    good = rows[(rows["split"] == "train") & (rows["defect"] == "good")]
    tests = rows[rows["split"] == "test"]
    data = (folder / "data").absolute()
    job = {
        "images": [str(data / path) for path in good["path"]],
        "digests": list(good["sha256"]),
        "settings": record.training.settings,
        "device": device,
        "threads": recorded.threads,
        "model": str((folder / "model").absolute()),
        "weights_sha256": record.files[_WEIGHTS].sha256,
        "tests": [str(data / path) for path in tests["path"]],
    }
    write_json(folder / "job.json", job)
    done = _run(folder, code, recorded.threads, progress)
    # The same interpreter, so the same packages; the number of threads is that process's own.
    environment, _ = environment_of(device)
    return Rebuilt(
        weights_sha256=done["weights_sha256"],
        scores=tuple(done["scores"]),
        settings=done["settings"],
        backbone_sha256=done["backbone_sha256"],
        source_sha256=done["source_sha256"],
        environment={**environment, "threads": done["threads"]},
    )


def _run(folder: Path, code: Code, threads: int, progress: Progress) -> dict[str, Any]:
    """Run the worker to its end; returns its answer."""
    log = folder / "worker.log"
    environment = {
        **os.environ,
        "PYTHONPATH": str(code.folder.absolute()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": str(threads),
    }
    with (
        log.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - our own script and interpreter
            [sys.executable, "-P", str(_WORKER), str((folder / "job.json").absolute())],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,  # closes when this process ends, however it does
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as worker,
    ):
        try:
            answer = _listen(worker, progress)
        except BaseException:
            worker.kill()
            raise
    if "refused" in answer:
        raise UsageError(**answer["refused"])
    if "done" not in answer:
        said = log.read_text(errors="replace").strip().splitlines()
        raise UsageError(
            f"the training ended with {worker.returncode}: {said[-1] if said else 'no word'}",
            where=f"the {code.origin} source of patchae",
            mend="use the environment of requirements.lock at that commit",
        )
    found: dict[str, Any] = answer["done"]
    return found


def _listen(worker: subprocess.Popen[str], progress: Progress) -> dict[str, Any]:
    """Pass on progress until the answer; empty when there is none."""
    for line in worker.stdout or ():
        told: dict[str, Any] = json.loads(line)
        if "progress" not in told:
            return told
        progress(*told["progress"])
    return {}


def _auroc(rows: pd.DataFrame, rebuilt: Rebuilt) -> float | None:
    if not rebuilt.scores:
        return None
    labels = [int(one != "good") for one in rows[rows["split"] == "test"]["defect"]]
    found = image_auroc(labels, rebuilt.scores)
    return None if math.isnan(found) else found
