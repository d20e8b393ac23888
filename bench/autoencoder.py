"""Child of `bench.model`: the traditional auto-encoder that Patch AE argues against.

As Bergmann et al. 2019 use it (MVTec AD, CVPR; the network is that of VISAPP 2019): strided
convolutions down to one vector of 100 numbers for the whole image, transposed ones back up,
trained on train/good alone to keep the squared error small, no artificial defects. What it cannot
reconstruct counts as anomalous. Batch normalization is added, without which it needs many times
the steps.

Options: `steps`, batches of 16; their default is past the point where the error on train/good has
stopped to fall by more than a few percent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.child import Job, work
from patchae.model.images import load_batch

WIDTHS = (16, 32, 64, 128, 128)
"""Channels after each halving: 32 pixels become one place of the last."""
LATENT = 100
STEPS, BATCH, RATE = 400, 16, 2e-3
SIGMA = 4.0
"""Of the blur over the error map, in pixels; the same as in anomalib's PaDiM and PatchCore."""


def network(size: int) -> nn.Sequential:
    """Images (B, 3, size, size) in 0..1 to their reconstructions; `size` a multiple of 32."""
    encoder: list[nn.Module] = []
    for before, after in zip((3, *WIDTHS), WIDTHS, strict=False):
        encoder += [nn.Conv2d(before, after, 4, 2, 1, bias=False), *_after(after)]
    side, deepest = size // 32, WIDTHS[-1]
    encoder += [nn.Conv2d(deepest, LATENT, side)]  # (B, 100, 1, 1)
    decoder: list[nn.Module] = [nn.ConvTranspose2d(LATENT, deepest, side), *_after(deepest)]
    upwards = WIDTHS[::-1]
    for before, after in itertools.pairwise(upwards):
        decoder += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), *_after(after)]
    decoder += [nn.ConvTranspose2d(upwards[-1], 3, 4, 2, 1), nn.Sigmoid()]
    return nn.Sequential(*encoder, *decoder)


def _after(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)


def blurred(maps: Tensor) -> Tensor:
    """Maps (B, S, S) after a Gaussian blur, edges repeated."""
    reach = int(4 * SIGMA + 0.5)
    at = torch.arange(-reach, reach + 1, dtype=torch.float32, device=maps.device)
    kernel = torch.exp(-at.square() / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(maps[:, None], (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, kernel.view(1, 1, 1, -1))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1))[:, 0]


class AutoEncoder:
    """The trained network as the bench sees it."""

    def __init__(self, model: nn.Sequential, job: Job, losses: list[float]) -> None:
        self.model, self.size, self.device = model, job.image_size, job.device
        self.notes: dict[str, Any] = {
            "first_loss": float(np.mean(losses[:10])),
            "last_loss": float(np.mean(losses[-10:])),
        }

    @torch.inference_mode()
    def score(self, files: Sequence[Path]) -> tuple[list[float], np.ndarray]:
        """The highest point of the blurred squared error, and that map (B, S, S)."""
        images = _prepared(load_batch(files, self.size), self.device)
        maps = blurred((self.model(images) - images).square().mean(dim=1))
        return maps.flatten(1).amax(dim=1).tolist(), maps.cpu().numpy()

    def save(self, folder: Path) -> None:
        """The weights."""
        torch.save(self.model.state_dict(), folder / "model.pt")


def _prepared(pixels: Tensor, device: str) -> Tensor:
    images = pixels.to(device).float() / 255
    return images.to(memory_format=torch.channels_last)


def fit(job: Job) -> AutoEncoder:
    """Train on every image of train/good."""
    steps = int(job.options.get("steps", STEPS))
    pixels = load_batch([Path(path) for path in job.train], job.image_size)
    model = network(job.image_size).to(job.device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=steps)
    losses: list[float] = []
    order = torch.randperm(len(pixels))
    while len(losses) < steps:
        if len(order) < min(BATCH, len(pixels)):
            order = torch.randperm(len(pixels))
        chosen, order = order[:BATCH], order[BATCH:]
        images = _prepared(pixels[chosen], job.device)
        loss = F.mse_loss(model(images), images)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return AutoEncoder(model.eval(), job, losses)


if __name__ == "__main__":
    work(fit)
