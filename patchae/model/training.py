"""From the good images of a class to its `PatchAE`.

    standardize   mean and deviation of the frozen features
    learn         the patch-wise auto-encoder, on images with artificial defects
    remember      vectors of the learned images, a part of them as memory
    calibrate     the threshold, on good images that were not learned

Only train/good is ever read. Equal images, settings, device and number of threads give equal
weights, byte for byte: every random draw comes from generators made here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor

from patchae.config import Training
from patchae.errors import ConfigError, DataError
from patchae.files import Progress, silent
from patchae.model import memory as memories
from patchae.model.backbone import load_weights, pretrained
from patchae.model.defects import add_defects
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch
from patchae.model.network import reconstruction_loss
from patchae.model.split import calibration_split


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
) -> PatchAE:
    """Train the model of one class.

    Args:
        images: files of train/good, at least 2.
        digests: sha256 of each file, in the same order; decides which calibrate.
        settings: the training settings.
        device: `cpu` or `cuda`.
        progress: called after each step.

    Raises:
        DataError: fewer than 2 images, or one that cannot be read.
    """
    if len(images) < 2:
        raise DataError(
            f"{len(images)} good training images",
            mend="add images to train/good; the model needs some to learn and some to calibrate",
        )
    calibrates = calibration_split(digests, settings.calibration_share, settings.seed)
    learned = [path for path, aside in zip(images, calibrates, strict=True) if not aside]
    aside = [path for path, aside in zip(images, calibrates, strict=True) if aside]
    # cuDNN shall pick the same algorithm every time; on the CPU nothing has to change. It stays
    # so for the process: other threads train other classes, and the switch is one for all.
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    weights = load_weights(settings.backbone)
    backbone = pretrained(settings.backbone, settings.strides, weights)
    model = PatchAE(settings, backbone).to(device)
    pixels = load_batch(learned, settings.image_size)  # uint8 (N, 3, S, S)
    standardize(model, pixels)
    losses = learn(model, pixels, progress)
    _remember(model, pixels, progress)
    scores = _calibration_scores(model, aside, progress)
    model.facts = {
        "weights_sha256": weights.sha256,
        "threshold": conformal_threshold(scores, settings.false_alarm_rate),
        "calibration_scores": sorted(scores),
        "learned": len(learned),
        "calibration": len(aside),
        "losses": losses,
        "device": device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return model


def conformal_threshold(scores: Sequence[float], false_alarm_rate: float) -> float:
    """The threshold above which a good part scores at most `false_alarm_rate` of the time.

    Split conformal prediction: the ceil((n + 1)(1 - rate))-th smallest of n calibration scores
    holds the rate on average over exchangeable data. Where n is too small for the rate (n = 40
    cannot show 2 %) it is the largest score, which holds 1 / (n + 1).
    """
    rank = math.ceil((len(scores) + 1) * (1 - false_alarm_rate))
    return sorted(scores)[min(rank, len(scores)) - 1]


def _batches(model: PatchAE, pixels: Tensor, order: Tensor | None = None) -> Iterator[Tensor]:
    """Images (B, 3, S, S) in 0..1 on the model's device."""
    index = torch.arange(len(pixels)) if order is None else order
    for part in torch.split(index, model.settings.batch_size):
        yield pixels[part].to(model.device).float() / 255


@torch.inference_mode()
def standardize(model: PatchAE, pixels: Tensor) -> None:
    """Set mean and deviation per channel over all patches of the learned images."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for batch in _batches(model, pixels):
        flat = model.features(batch).permute(1, 0, 2, 3).flatten(1).double()
        count += flat.shape[1]
        total = total.to(flat) + flat.sum(1)
        squares = squares.to(flat) + flat.square().sum(1)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    # A channel that never moves must not turn rounding noise into a signal.
    floor = deviation.median() * 0.01 + 1e-6
    model.feature_mean = mean.float()
    model.feature_std = deviation.clamp(min=floor).float()


def learn(model: PatchAE, pixels: Tensor, progress: Progress) -> list[float]:
    """Train the auto-encoder; returns the mean loss of each epoch."""
    settings = model.settings
    generator = Generator().manual_seed(settings.seed)
    model.autoencoder.to("cpu").initialize(generator)  # the CPU's draw is the same everywhere
    model.autoencoder.to(model.device)
    if settings.epochs == 0:
        return []
    optimizer = torch.optim.AdamW(model.autoencoder.parameters(), lr=settings.learning_rate)
    steps = settings.epochs * math.ceil(len(pixels) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    losses = []
    for epoch in range(settings.epochs):
        total = 0.0
        order = torch.randperm(len(pixels), generator=generator)
        for batch in _batches(model, pixels, order):
            images, defects = add_defects(batch, settings.defect_share, generator)
            with torch.no_grad():
                features = model.features(images)
            _, reconstructed = model.autoencoder(features)
            loss = reconstruction_loss(reconstructed, images, defects)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(images)
        losses.append(total / len(pixels))
        progress("learning", epoch + 1, settings.epochs)
    return losses


@torch.inference_mode()
def _remember(model: PatchAE, pixels: Tensor, progress: Progress) -> None:
    """Fill the memory with vectors of the learned images, the same number from each."""
    settings = model.settings
    generator = Generator().manual_seed(settings.seed + 1)
    # Twice what is kept: enough for a random choice without holding every vector of every image.
    per_image = math.ceil(2 * settings.memory_size / len(pixels))
    parts = []
    for done, batch in enumerate(_batches(model, pixels)):
        of_batch = model.joined(model.features(batch))
        parts.append(memories.choose(of_batch, per_image * len(batch), generator))
        progress("remembering", done + 1, math.ceil(len(pixels) / settings.batch_size))
    joined = torch.cat(parts)
    model.vector_mean, model.whitening = memories.whitening(joined)
    chosen = memories.choose(joined, settings.memory_size, generator)
    model.memory = (chosen - model.vector_mean) @ model.whitening
    model.spread = memories.density(model.memory)


def _calibration_scores(model: PatchAE, images: Sequence[Path], progress: Progress) -> list[float]:
    model.facts = {"threshold": math.inf}  # not known yet; scores do not depend on it
    model.eval()
    scores = [scored.score for scored in model.score(images, model.settings.batch_size)]
    progress("calibrating", 1, 1)
    return scores
