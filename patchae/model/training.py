"""From the good images of a class to its `PatchAE`.

    find pose     whether the parts lie in any direction, and how to turn them upright
    collect       patches of the images and of copies with artificial defects, in one pass
    teach         what each network's member makes of them, see `patchae.model.learning`
    calibrate     the threshold, on good images that were not learned

Only train/good is ever read. Equal images, settings, device and number of threads give equal
weights, byte for byte: every random draw comes from generators made here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from patchae.config import Training
from patchae.errors import ConfigError, DataError
from patchae.files import Progress, silent
from patchae.images.learned import Learned
from patchae.model.backbone import Backbone, load_weights
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch, size_of, white_of
from patchae.model.learning import teach
from patchae.model.loose import find_pose, silhouette
from patchae.model.samples import collect
from patchae.model.split import calibration_split
from patchae.model.threshold import (
    FEW,
    conformal_threshold,
    false_alarm_interval,
    weak_threshold,
)

FEWEST = 5
"""Good images under which nothing is trained: too few to learn from and to calibrate with."""
_LOOKED_AT = 200
"""At most as many images decide how parts lie and what is white."""


def pick_device(wanted: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: `cuda` is wanted and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "no CUDA device",
            where="PATCHAE_DEVICE",
            mend="set PATCHAE_DEVICE to auto or cpu, or mend the driver",
        )
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def train(
    images: Sequence[Path],
    digests: Sequence[str],
    settings: Training,
    *,
    device: str = "cpu",
    progress: Progress = silent,
    kept: Path | None = None,
) -> PatchAE:
    """Train the model of one class.

    Args:
        images: files of train/good, at least `FEWEST`.
        digests: sha256 of each file, in the same order; decides which calibrate.
        settings: the training settings.
        device: `cpu` or `cuda`.
        progress: called after each step.
        kept: a folder for the work that a killed training need not do again, see `collect`. It
            belongs to these images, settings and device; the caller removes it in the end. The
            model is the same with or without it.

    Raises:
        DataError: fewer than `FEWEST` images, or one that cannot be read.
    """
    if len(images) < FEWEST:
        raise DataError(
            f"{len(images)} good training images, and a model needs at least {FEWEST}",
            mend="add images to train/good; some are learned and some calibrate the threshold",
        )
    calibrates = calibration_split(digests, settings.calibration_share, settings.seed)
    learned = [path for path, aside in zip(images, calibrates, strict=True) if not aside]
    aside = [path for path, aside in zip(images, calibrates, strict=True) if aside]
    # cuDNN shall pick the same algorithm every time; on the CPU nothing has to change. It stays
    # so for the process: other threads train other classes, and the switch is one for all.
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    weights = load_weights(settings.backbone)
    model = PatchAE(settings, Backbone(settings.backbone, settings.strides, weights)).to(device)
    seen = learned[:: math.ceil(len(learned) / _LOOKED_AT)]
    model.white = white_of(seen)
    find_how_they_lie(model, seen)
    samples = collect(model, learned, progress, kept)
    losses = teach(model, samples, progress)
    scores = _calibration_scores(model, aside, progress)
    model.facts = {
        "images": asdict(Learned.of(images)),
        "weights_sha256": weights.sha256,
        "threshold": conformal_threshold(scores, settings.false_alarm_rate),
        "false_alarm_interval": false_alarm_interval(len(scores), settings.false_alarm_rate),
        "warnings": [weak_threshold(len(images))] if len(images) < FEW else [],
        "calibration_scores": sorted(scores),
        "learned": len(learned),
        "calibration": len(aside),
        "losses": losses,
        "device": device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return model


@torch.no_grad()
def find_how_they_lie(model: PatchAE, images: Sequence[Path]) -> None:
    """Set the pose of the class and what of the upright image is looked at, if its parts lie so."""
    settings, step = model.settings, model.settings.batch_size
    if settings.pose == "as-is":
        return
    aspects = {round(width / height, 3) for width, height in map(size_of, images)}
    if len(aspects) > 1:  # several cameras: what is turned in one is not in another
        return
    batches = [
        load_batch(images[start : start + step], settings.image_size, model.white)
        for start in range(0, len(images), step)
    ]
    model.pose = find_pose(batches, aspects.pop(), max(settings.strides))
    if model.pose:
        model.looked_at = silhouette(batches, model.pose, model.patch).to(model.device)


def _calibration_scores(model: PatchAE, images: Sequence[Path], progress: Progress) -> list[float]:
    model.facts = {"threshold": math.inf}  # not known yet; scores do not depend on it
    model.eval()
    scores = [scored.score for scored in model.score(images, model.settings.batch_size)]
    progress("calibrating", 1, 1)
    return scores
