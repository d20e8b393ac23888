"""The training of a reproduction: a process of its own, under the source that trained it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.errors import UsageError
from patchae.files import Progress, silent, write_json
from patchae.lineage.environment import environment_of
from patchae.lineage.record import LineageRecord
from patchae.lineage.reproduce.code import Code
from patchae.lineage.reproduce.compare import Rebuilt
from patchae.registry.loading import WEIGHTS_FOLDER

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS = f"{WEIGHTS_FOLDER}/model.safetensors"
"""The file of a record that is compared."""
_WORKER = Path(__file__).with_name("worker.py")


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
        "weights_sha256": record.files[WEIGHTS].sha256,
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
