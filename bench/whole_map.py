"""Child of `bench.model`: patchae's model with an ordinary decoder, one that sees the whole map.

The same encoder, features, artificial defects and number of passes; only the decoder may look at
the neighbours of a patch when it draws it, as that of a traditional auto-encoder. What the patch-
wise decoder adds is the difference between the two.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from bench.child import Job, work
from bench.ours import Ours
from bench.ours import fit as fit_ours
from patchae.config import Training
from patchae.files import Progress
from patchae.model import learning, training
from patchae.model.defects import add_defects
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch
from patchae.model.member import Member
from patchae.model.pose import upright
from patchae.model.samples import Samples
from patchae.model.split import calibration_split

_PATCHES = 1024


class WholeMapDecoder(nn.Module):
    """Vectors (B, D, h, w) to pixels (B, 3, h P, w P), through 3 x 3 convolutions over the map."""

    def __init__(self, vector: int, patch: int) -> None:
        super().__init__()
        hidden = 2 * vector
        self.layers = nn.Sequential(
            nn.Conv2d(vector, hidden, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(hidden, 3 * patch * patch, 3, padding=1),
        )
        self.patch = patch

    def forward(self, vectors: Tensor) -> Tensor:
        """Pixels around 0.5."""
        return 0.5 + F.pixel_shuffle(self.layers(vectors), self.patch)


def fit(job: Job) -> Ours:
    """Train as `bench.ours` does, with the step that learns the encoder replaced."""
    images = [Path(path) for path in job.train]

    def teach(model: PatchAE, samples: Samples, progress: Progress) -> list[float]:
        settings = model.settings
        aside = calibration_split(job.digests, settings.calibration_share, settings.seed)
        learned = [path for path, out in zip(images, aside, strict=True) if not out]

        def learn(
            member: Member, samples: Samples, settings: Training, progress: Progress
        ) -> list[float]:
            steps = len(samples) * settings.epochs // _PATCHES
            return _learn(model, member, learned, steps, progress)

        with mock.patch.object(learning, "learn", learn):
            return learning.teach(model, samples, progress)

    with mock.patch.object(training, "teach", teach):
        return fit_ours(job)


def _learn(
    model: PatchAE, member: Member, images: list[Path], steps: int, progress: Progress
) -> list[float]:
    """As many patches in all as the patch-wise auto-encoder gets, as whole maps of copies."""
    read = next(read for other, read in model.each() if other is member)
    settings = model.settings
    generator = Generator().manual_seed(settings.seed)
    torch.manual_seed(settings.seed)
    decoder = WholeMapDecoder(settings.channels, model.patch).to(model.device)
    member.autoencoder.to("cpu").initialize(generator)
    member.autoencoder.to(model.device)
    weights = [*member.autoencoder.encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    losses = []
    for step in range(steps):
        chosen = [int(torch.randint(len(images), (), generator=generator)) for _ in range(2)]
        batch = load_batch([images[i] for i in chosen], settings.image_size, model.white).to(
            model.device
        )
        seen = batch.float() / 255
        if model.pose:
            seen, _ = upright(seen, model.pose)
        copies, masks = add_defects(seen, 0.7, generator)
        with torch.no_grad():
            raw = member.standardized(model.raw(copies)[..., read])
        vectors = member.autoencoder.encode(raw).permute(0, 3, 1, 2)
        error = (decoder(vectors) - copies).square().mean(dim=1, keepdim=True)
        loss = error.mean() + (error * masks).sum() / masks.sum().clamp(min=1)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress("learning", step + 1, steps)
    return losses[-1:]


if __name__ == "__main__":
    work(fit)
