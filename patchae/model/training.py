"""From the good images of a class to its `PatchAE`.

    find pose     whether the parts lie in any direction, and how to turn them upright
    collect       patches of the images and of copies with artificial defects, in one pass
    standardize   mean and deviation of the frozen features
    learn         the patch-wise auto-encoder
    remember      patches of good images as memory
    tell apart    the heads, on patches compared with a memory that lacks their own image
    calibrate     the threshold, on good images that were not learned

Only train/good is ever read. Equal images, settings, device and number of threads give equal
weights, byte for byte: every random draw comes from generators made here.

What stays in the model is made under `no_grad`: inference mode is quicker by nothing that counts
here, and its tensors can neither be trained on nor exported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor

from patchae.config import Training
from patchae.errors import ConfigError, DataError
from patchae.files import Progress, silent
from patchae.model import heads
from patchae.model import memory as memories
from patchae.model.backbone import Backbone, load_weights
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch, size_of, white_of
from patchae.model.loose import find_pose, silhouette
from patchae.model.network import reconstruction_loss
from patchae.model.samples import Samples, collect, some
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
_PATCHES = 1024
"""Patches per step of the auto-encoder."""
_COMPARED = 24_000
"""At most as many patches of each kind are shown to the heads."""
_TAIL = 0.999
"""Quantile of normal patches that counts as 1 in each view."""


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
    standardize(model, samples)
    losses = learn(model, samples, progress)
    remember(model, samples)
    tell_apart(model, samples, progress)
    scores = _calibration_scores(model, aside, progress)
    model.facts = {
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


@torch.no_grad()
def standardize(model: PatchAE, samples: Samples) -> None:
    """Set mean and deviation per channel over the patches of the good images."""
    clean = samples.features[~samples.copy].double()
    deviation = clean.std(0, correction=0)
    # A channel that never moves must not turn rounding noise into a signal.
    floor = deviation.median() * 0.01 + 1e-6
    model.feature_mean = clean.mean(0).float().to(model.device)
    model.feature_std = deviation.clamp(min=floor).float().to(model.device)


def learn(model: PatchAE, samples: Samples, progress: Progress) -> list[float]:
    """Train the auto-encoder; returns the mean loss of each epoch."""
    settings = model.settings
    generator = Generator().manual_seed(settings.seed)
    model.autoencoder.to("cpu").initialize(generator)  # the CPU's draw is the same everywhere
    model.autoencoder.to(model.device)
    if settings.epochs == 0:
        return []
    optimizer = torch.optim.AdamW(model.autoencoder.parameters(), lr=settings.learning_rate)
    steps = settings.epochs * math.ceil(len(samples) / _PATCHES)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    losses = []
    for epoch in range(settings.epochs):
        total = 0.0
        for part in torch.split(torch.randperm(len(samples), generator=generator), _PATCHES):
            raw = samples.features[part].to(model.device).float()
            pixels = samples.pixels[part].to(model.device).float() / 255
            _, reconstructed = model.autoencoder((raw - model.feature_mean) / model.feature_std)
            loss = reconstruction_loss(
                reconstructed, pixels, samples.defective[part].to(model.device)
            )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(part)
        losses.append(total / len(samples))
        progress(f"learning, loss {losses[-1]:.4f}", epoch + 1, settings.epochs)
    return losses


@torch.no_grad()
def remember(model: PatchAE, samples: Samples) -> None:
    """Whiten the vectors of the good images and keep some of them as memory."""
    generator = Generator().manual_seed(model.settings.seed + 2)
    joined = _rows(model, samples.features[~samples.copy], model.joined)
    model.vector_mean, model.whitening = memories.whitening(joined)
    vectors = (joined - model.vector_mean) @ model.whitening
    model.memory = memories.cover(vectors, model.settings.memory_size, generator)
    model.spread = memories.density(model.memory)


def tell_apart(model: PatchAE, samples: Samples, progress: Progress) -> None:
    """Train the heads and scale all views, on patches whose own image is not in the memory.

    In use no part is in the memory, so in training none may be: the images are split in two, and
    each half is compared with a memory of the other.
    """
    generator = Generator().manual_seed(model.settings.seed + 3)
    compared, defective = [], []
    for half in (0, 1):
        ours = samples.image % 2 == half
        theirs = samples.features[~ours & ~samples.copy]
        with torch.no_grad():
            theirs = _rows(model, theirs, model.vectors)
            memory = memories.cover(theirs, model.settings.memory_size, generator)
            spread = memories.density(memory)
            for kind in (ours & ~samples.copy, ours & samples.copy):
                shown = some(kind, _COMPARED, generator)
                vectors = _rows(model, samples.features[shown], model.vectors)
                compared.append(heads.compare(vectors, memory, spread, model.settings.neighbours))
                defective.append(samples.defective[shown])
    everything = heads.Compared.joined(compared)
    labels = torch.cat(defective).to(model.device)
    told_apart = model.told_apart()
    passes = len(told_apart) * heads.EPOCHS
    for number, (head, context) in enumerate(told_apart):
        inputs = everything.inputs(context)
        for epoch in heads.fit(head, inputs, labels, generator):
            progress("telling apart", number * heads.EPOCHS + epoch, passes)
    with torch.no_grad():
        good = model.views(everything)[~labels]
        model.view_mean = good.mean(0)
        # In units of the most unusual normal patches: it is their tails that raise false alarms,
        # and those of a distance are heavier than those of a head.
        rank = math.ceil(_TAIL * len(good))
        model.view_scale = (good.kthvalue(rank, dim=0).values - good.mean(0)).clamp(min=1e-6)


def _rows(model: PatchAE, features: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of raw features (N, C) float16, some thousand rows at a time."""
    parts = torch.split(features, 16_384)
    return torch.cat([function(part.to(model.device).float()) for part in parts])


def _calibration_scores(model: PatchAE, images: Sequence[Path], progress: Progress) -> list[float]:
    model.facts = {"threshold": math.inf}  # not known yet; scores do not depend on it
    model.eval()
    scores = [scored.score for scored in model.score(images, model.settings.batch_size)]
    progress("calibrating", 1, 1)
    return scores
