"""How the members of a model learn from the patches that were drawn.

    standardize   mean and deviation of the frozen features
    learn         the patch-wise auto-encoder
    remember      patches of good images as memory
    tell apart    the heads, on patches compared with a memory that lacks their own image

What stays in the model is made under `no_grad`: inference mode is quicker by nothing that counts
here, and its tensors can neither be trained on nor exported.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from patchae.config import Training
from patchae.files import Progress
from patchae.model import heads
from patchae.model import memory as memories
from patchae.model.detector import PatchAE
from patchae.model.member import Member
from patchae.model.network import reconstruction_loss
from patchae.model.samples import Samples, some

_PATCHES = 1024
"""Patches per step of the auto-encoder."""
_COMPARED = 24_000
"""At most as many patches of each kind are shown to the heads."""
_TAIL = 0.999
"""Quantile of normal patches that counts as 1 in each view."""


def teach(model: PatchAE, samples: Samples, progress: Progress) -> list[float]:
    """Have each member learn; returns the mean loss of each epoch of the auto-encoders.

    Args:
        model: with its backbone, pose and white in place.
        samples: what `collect` drew for it.
        progress: called after each pass over the samples.
    """
    settings, losses = model.settings, []
    pupils = [(member, samples.as_read(read)) for member, read in model.each()]
    for number, (member, seen) in enumerate(pupils):
        standardize(member, seen)
        losses.append(learn(member, seen, settings, _part(progress, number, len(pupils))))
    for number, (member, seen) in enumerate(pupils):
        remember(member, seen, settings)
        tell_apart(member, seen, settings, _part(progress, number, len(pupils)))
    return [sum(epoch) / len(epoch) for epoch in zip(*losses, strict=True)]


def _part(progress: Progress, number: int, parts: int) -> Progress:
    """Progress of one of several equal parts, as progress of the whole."""

    def report(what: str, done: int, total: int) -> None:
        progress(what, number * total + done, parts * total)

    return report


@torch.no_grad()
def standardize(member: Member, samples: Samples) -> None:
    """Set mean and deviation per channel over the patches of the good images."""
    clean = samples.features[~samples.copy].double()
    deviation = clean.std(0, correction=0)
    # A channel that never moves must not turn rounding noise into a signal.
    floor = deviation.median() * 0.01 + 1e-6
    device = member.device
    member.feature_mean = clean.mean(0).float().to(device)
    member.feature_std = deviation.clamp(min=floor).float().to(device)


def learn(member: Member, samples: Samples, settings: Training, progress: Progress) -> list[float]:
    """Train the auto-encoder; returns the mean loss of each epoch."""
    generator, device = Generator().manual_seed(settings.seed), member.device
    member.autoencoder.to("cpu").initialize(generator)  # the CPU's draw is the same everywhere
    member.autoencoder.to(device)
    if settings.epochs == 0:
        return []
    optimizer = torch.optim.AdamW(member.autoencoder.parameters(), lr=settings.learning_rate)
    steps = settings.epochs * math.ceil(len(samples) / _PATCHES)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    losses = []
    for epoch in range(settings.epochs):
        total = 0.0
        for part in torch.split(torch.randperm(len(samples), generator=generator), _PATCHES):
            raw = samples.features[part].to(device).float()
            pixels = samples.pixels[part].to(device).float() / 255
            _, reconstructed = member.autoencoder(member.standardized(raw))
            loss = reconstruction_loss(reconstructed, pixels, samples.defective[part].to(device))
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(part)
        losses.append(total / len(samples))
        progress(f"learning, loss {losses[-1]:.4f}", epoch + 1, settings.epochs)
    return losses


@torch.no_grad()
def remember(member: Member, samples: Samples, settings: Training) -> None:
    """Whiten the vectors of the good images and keep some of them as memory."""
    generator = Generator().manual_seed(settings.seed + 2)
    joined = _rows(member, samples.features[~samples.copy], member.joined)
    member.vector_mean, member.whitening = memories.whitening(joined)
    vectors = (joined - member.vector_mean) @ member.whitening
    member.memory = memories.cover(vectors, settings.memory_size, generator)
    member.spread = memories.density(member.memory)


def tell_apart(member: Member, samples: Samples, settings: Training, progress: Progress) -> None:
    """Train the heads and scale all views, on patches whose own image is not in the memory.

    In use no part is in the memory, so in training none may be: the images are split in two, and
    each half is compared with a memory of the other.
    """
    generator = Generator().manual_seed(settings.seed + 3)
    compared, defective = [], []
    for half in (0, 1):
        ours = samples.image % 2 == half
        theirs = samples.features[~ours & ~samples.copy]
        with torch.no_grad():
            theirs = _rows(member, theirs, member.vectors)
            memory = memories.cover(theirs, settings.memory_size, generator)
            spread = memories.density(memory)
            for kind in (ours & ~samples.copy, ours & samples.copy):
                shown = some(kind, _COMPARED, generator)
                vectors = _rows(member, samples.features[shown], member.vectors)
                compared.append(heads.compare(vectors, memory, spread, settings.neighbours))
                defective.append(samples.defective[shown])
    everything = heads.Compared.joined(compared)
    labels = torch.cat(defective).to(member.device)
    told_apart = member.told_apart()
    passes = len(told_apart) * heads.EPOCHS
    for number, (head, context) in enumerate(told_apart):
        inputs = everything.inputs(context)
        for epoch in heads.fit(head, inputs, labels, generator):
            progress("telling apart", number * heads.EPOCHS + epoch, passes)
    with torch.no_grad():
        good = member.views(everything)[~labels]
        member.view_mean = good.mean(0)
        # In units of the most unusual normal patches: it is their tails that raise false alarms,
        # and those of a distance are heavier than those of a head.
        rank = math.ceil(_TAIL * len(good))
        member.view_scale = (good.kthvalue(rank, dim=0).values - good.mean(0)).clamp(min=1e-6)


def _rows(member: Member, features: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of raw features (N, C) float16, some thousand rows at a time."""
    parts = torch.split(features, 16_384)
    return torch.cat([function(part.to(member.device).float()) for part in parts])
