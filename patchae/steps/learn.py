"""Train a class and score its test images; both land in the job's folder in one move each."""

from __future__ import annotations

import csv
import json
import logging
import math
import platform
import shlex
import shutil
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.console import say
from patchae.errors import DataError
from patchae.evidence.scores import HEADER, SCORES_FILE, read_scores
from patchae.files import (
    Progress,
    digests_of,
    folder_in_one_step,
    sha256_file,
    silent,
    write_bytes,
    write_json,
    write_text,
)
from patchae.lineage.environment import COMPONENTS_FILE, environment_of
from patchae.lineage.probe import FOLDER, probe_of
from patchae.registry.ledger import Ledger
from patchae.settings import settings
from patchae.steps.job import ClassJob
from patchae.steps.kept import kept_for
from patchae.steps.timing import ms_per_image

if TYPE_CHECKING:
    import pandas as pd

    from patchae.model.detector import PatchAE
    from patchae.model.evaluation import Evaluation

DIGESTS_FILE = "digests.json"
_OF_KINDS = ("image_auroc", "recall", "false_alarm_rate")
"""Metrics that need good images, or defective ones, or both."""
MAPS = 8
"""Heat maps that a training keeps: half of the worst decisions, half of the best."""


def train_class(job: ClassJob, progress: Progress = silent) -> bool:
    """Train the class unless its key was trained before; returns whether it was trained now.

    Raises:
        DataError: an image cannot be read or was changed meanwhile, or there is no test image.
        StoreUnreachable: the backbone's weights cannot be had, or the ledger, whose clock dates
            the training.
    """
    from patchae.model.training import pick_device, train

    if _is_trained(job):
        return False
    _require_tests(job)
    rows = job.train_rows
    images = [job.project.data / path for path in rows["path"]]
    # Scores that lie there judged a model that is gone.
    shutil.rmtree(job.evaluated, ignore_errors=True)
    started, clock = Ledger.of(job.project).now(), time.perf_counter()
    device = pick_device(settings().device)
    kept = kept_for(job.folder, device, images)  # what a killed training had done already
    with folder_in_one_step(job.trained) as draft:
        try:
            model = train(
                images,
                list(rows["sha256"]),
                job.line.training,
                device=device,
                progress=progress,
                kept=kept,
            )
            require_unchanged(job, rows)
        except DataError:
            # It may hold what was drawn from an image that is not in the manifest.
            shutil.rmtree(kept, ignore_errors=True)
            raise
        for warning in model.facts["warnings"]:
            say(f"{job.class_name}: {warning}", logging.WARNING)
        model.save(draft / "model")
        told = ("torch", "losses", "learned", "calibration", "weights_sha256")
        facts = {name: model.facts[name] for name in told}
        environment, listed = environment_of(device)
        write_text(draft / COMPONENTS_FILE, listed)
        write_json(
            draft / "training.json",
            facts
            | {
                "files": digests_of(draft / "model"),
                "environment": environment,
                "host": platform.node(),
                "seconds": (seconds := time.perf_counter() - clock),
                "started": started.isoformat(),
                "finished": (started + timedelta(seconds=seconds)).isoformat(),
            },
        )
        # Inside: after a kill behind this block nobody would come back for it.
        shutil.rmtree(kept, ignore_errors=True)
    return True


def _require_tests(job: ClassJob) -> None:
    """A class may wait for defective images, or for good ones; without any it cannot be judged.

    Raises:
        DataError: there is no test image.
    """
    if job.test_rows.empty:
        raise DataError(
            f"'{job.class_name}' has no test image, so that a model of it cannot be judged",
            where=str(job.project.data / job.class_name / "test"),
            mend="add images to test/good; without defective ones the verdict is `hold`",
        )


def _is_trained(job: ClassJob) -> bool:
    """Whether a trained model lies there, whole; a damaged one is trained again."""
    try:
        files = json.loads((job.trained / "training.json").read_text())["files"]
    except (OSError, ValueError, KeyError):
        return False
    listed = (job.trained / COMPONENTS_FILE).is_file()
    return bool(listed and files == digests_of(job.trained / "model"))


def _is_evaluated(job: ClassJob) -> bool:
    """Whether everything that the evaluation wrote lies there, unchanged."""
    try:
        files = json.loads((job.evaluated / DIGESTS_FILE).read_text())
    except (OSError, ValueError):
        return False
    found = digests_of(job.evaluated)
    found.pop(DIGESTS_FILE, None)
    return bool(files == found)


def evaluate_class(job: ClassJob, progress: Progress = silent) -> dict[str, Any]:
    """Score the test images of a trained class, once; returns the metrics.

    Raises:
        DataError: an image cannot be read.
    """
    from patchae.model.detector import PatchAE
    from patchae.model.training import pick_device
    from patchae.steps.pictures import pictures_of

    if not _is_evaluated(job):
        model = PatchAE.load(job.trained / "model", pick_device(settings().device))
        evaluation = score_tests(job, model, progress=progress)
        with folder_in_one_step(job.evaluated) as draft:
            text = scores_csv(evaluation)
            write_text(draft / SCORES_FILE, text)
            image = probe_of(read_scores(text))
            kept = draft / FOLDER / Path(image.path).name
            write_bytes(kept, (job.project.data / image.path).read_bytes())
            for name, content in pictures_of(job, model, evaluation).items():
                write_bytes(draft / name, content)
            write_json(draft / "evaluation.json", _told(job, model, evaluation.metrics))
            write_json(draft / DIGESTS_FILE, digests_of(draft))
    metrics: dict[str, Any] = json.loads((job.evaluated / "evaluation.json").read_text())
    return metrics


def _told(job: ClassJob, model: PatchAE, metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics as they are recorded: one that is not defined is None, and the time is measured.

    Without good or without defective images there is no AUROC, and no share of those that are not.
    """
    files = [job.project.data / path for path in job.test_rows["path"]]
    undefined = [name for name in _OF_KINDS if math.isnan(metrics[name])]
    return {**metrics, **dict.fromkeys(undefined), "ms_per_image": ms_per_image(model, files)}


def require_unchanged(job: ClassJob, rows: pd.DataFrame) -> None:
    """Make sure that the images just read, and their masks, are those of the manifest.

    The manifest was read earlier, and a folder of images has no lock: a camera that overwrites a
    file meanwhile would otherwise give a model whose lineage names another image.

    Raises:
        DataError: a file was changed or removed since.
    """
    masked = rows[rows["mask"].notna()]
    expected = dict(zip(rows["path"], rows["sha256"], strict=True))
    expected |= dict(zip(masked["mask"], masked["mask_sha256"], strict=True))
    for path, digest in expected.items():
        file = job.project.data / path
        there = file.is_file()
        if not there or sha256_file(file) != digest:
            # What was replaced under the same size, time and inode, no snapshot sees: DVC asks for
            # these alone.
            again = f"; if it says so again: touch {shlex.quote(str(file))}" if there else ""
            raise DataError(
                f"an image of '{job.class_name}' was changed while it was in use",
                where=str(file),
                mend=f"run the same command again once nothing writes into data/{again}",
            )


def score_tests(
    job: ClassJob, model: PatchAE, *, keep_maps: int = MAPS, progress: Progress = silent
) -> Evaluation:
    """A model on the job's test images, which are those of the manifest before and after.

    Raises:
        DataError: an image cannot be read, or was changed meanwhile.
    """
    from patchae.model.evaluation import TestImage, evaluate

    rows = job.test_rows
    columns = (rows["path"], rows["sha256"], rows["defect"], rows["mask"])
    images = [TestImage(*values) for values in zip(*columns, strict=True)]
    evaluation = evaluate(model, job.project.data, images, keep_maps=keep_maps, progress=progress)
    require_unchanged(job, rows)
    return evaluation


def scores_csv(evaluation: Evaluation) -> str:
    """`scores.csv`: one row per test image, floats exactly."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for judged in evaluation.judged:
        image = judged.image
        decision = int(judged.anomalous)
        writer.writerow(
            (image.path, image.sha256, image.defect, image.label, repr(judged.score), decision)
        )
    return text.getvalue()
