"""Patches to learn from: one pass over the good images, and a bounded sample of what it shows.

Each image is decoded once. Its patches, and those of copies with artificial defects, are drawn
into a `Samples` whose size depends on the settings and not on the number of images: a class with
20,000 images needs no more memory than one with 200.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Generator, Tensor

from patchae.files import Progress, write_bytes
from patchae.model.defects import add_defects, places
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch
from patchae.model.pose import upright

SHARD = 32
"""Images per shard: what a killed training loses at most."""
_CLEAN = 120_000
"""Patches of good images to draw, about; 60 MB with the features of EfficientNet-Lite0."""
_DEFECTIVE_PER_COPY = 32
_COVERED = 0.1
"""Share of a patch that must lie in a defect before it counts as defective."""
_VISIBLE = 0.03
"""Mean change of a pixel, of 1, below which nobody could see that it was changed."""


@dataclass(frozen=True)
class Samples:
    """N patches, in the order in which they were drawn."""

    features: Tensor
    """Raw features (N, C), float16: those that `PatchAE.raw` gives."""
    pixels: Tensor
    """The patch itself (N, 3, P, P), uint8."""
    image: Tensor
    """Number of the learned image that it comes from (N,), int64."""
    copy: Tensor
    """Whether it was drawn for a copy with an artificial defect (N,), bool."""
    defective: Tensor
    """Whether it lies in that defect (N,), bool."""

    def __len__(self) -> int:
        return len(self.features)

    def as_read(self, channels: slice) -> Samples:
        """The same patches with some of their features alone."""
        return replace(self, features=self.features[:, channels])

    @staticmethod
    def joined(parts: Sequence[Samples]) -> Samples:
        """Several one after the other."""
        return Samples(
            torch.cat([part.features for part in parts]),
            torch.cat([part.pixels for part in parts]),
            torch.cat([part.image for part in parts]),
            torch.cat([part.copy for part in parts]),
            torch.cat([part.defective for part in parts]),
        )


def collect(
    model: PatchAE, images: Sequence[Path], progress: Progress, kept: Path | None = None
) -> Samples:
    """Draw patches of the images and of `damaged_images` copies with artificial defects.

    This is most of a training, so it is done in shards, each with a generator of its own.

    Args:
        model: with its backbone in place.
        images: the learned ones, in the order that decides what is drawn.
        progress: called after each shard.
        kept: a folder for finished shards; those that lie there are not made again. It belongs to
            one list of images, one `Training` and one device.

    Raises:
        DataError: an image cannot be read.
    """
    shards = math.ceil(len(images) / SHARD)
    parts = []
    for number in range(shards):
        file = kept / f"{number:05d}.safetensors" if kept else None
        found = _read(file) if file else None
        if found is None:
            found = _shard(model, images, number)
            if file:
                _write(file, found)
        parts.append(found)
        progress("looking", number + 1, shards)
    return Samples.joined(parts)


def _read(file: Path) -> Samples | None:
    try:
        return Samples(**load_file(file))
    except (OSError, SafetensorError, TypeError):  # not there, or not whole
        return None


def _write(file: Path, found: Samples) -> None:
    tensors = {key: value.contiguous() for key, value in vars(found).items()}
    write_bytes(file, save(tensors))


@torch.inference_mode()
def _shard(model: PatchAE, images: Sequence[Path], number: int) -> Samples:
    settings = model.settings
    generator = Generator().manual_seed(settings.seed * 1_000_003 + number)
    per_image, count = math.ceil(_CLEAN / len(images)), len(images)
    total = settings.damaged_images
    end = min((number + 1) * SHARD, count)
    parts = []
    for start in range(number * SHARD, end, settings.batch_size):
        index = range(start, min(start + settings.batch_size, end))
        batch = load_batch([images[i] for i in index], settings.image_size, model.white)
        if model.pose:
            turned, _ = upright(batch.to(model.device).float() / 255, model.pose)
            batch = (turned.cpu() * 255).round().to(torch.uint8)
        patches = _patches(model, batch)
        looked_at = model.looked_at.flatten().cpu()
        parts.append(_clean(patches, looked_at, start, per_image, generator))
        # Copies spread evenly over the images: the i-th has floor((i + 1) k / n) - floor(i k / n).
        copies = [(i + 1) * total // count - i * total // count for i in index]
        on_product = [places(image) for image in batch.float() / 255] if any(copies) else []
        for again in range(max(copies)):
            chosen = torch.tensor([j for j, number in enumerate(copies) if number > again])
            of_chosen = (patches[0][chosen], patches[1][chosen])
            where = [on_product[j] for j in chosen.tolist()]
            parts.append(
                _damaged(
                    model,
                    batch[chosen],
                    of_chosen,
                    where,
                    numbers=chosen + start,
                    generator=generator,
                )
            )
    return Samples.joined(parts)


def _clean(
    patches: tuple[Tensor, Tensor],
    looked_at: Tensor,
    start: int,
    per_image: int,
    generator: Generator,
) -> Samples:
    """Some of the patches of each good image that are looked at."""
    features, pixels = patches
    parts = []
    for i in range(len(features)):
        order = some(looked_at, per_image, generator)
        none = torch.zeros(len(order), dtype=torch.bool)
        parts.append(Samples(features[i, order], pixels[i, order], none + (start + i), none, none))
    return Samples.joined(parts)


def _damaged(
    model: PatchAE,
    batch: Tensor,
    patches: tuple[Tensor, Tensor],
    on_product: Sequence[Tensor],
    *,
    numbers: Tensor,
    generator: Generator,
) -> Samples:
    """Of one copy of each image: defective patches, and as many of two harmless kinds.

    The same places before the defect came, so that a place alone tells nothing; and places of the
    copy where nothing was drawn, so that a copy alone tells nothing.

    Args:
        model: for the features of the copies.
        batch: the images (B, 3, H, W), uint8, upright.
        patches: what `_patches` gives for them.
        on_product: what `places` gives for each of them.
        numbers: of these images among the learned ones (B,).
        generator: draws the defects and the places.
    """
    originals = batch.float() / 255
    copies, masks = add_defects(originals, 1.0, generator, on_product)
    seen = masks * ((copies - originals).abs().mean(dim=1, keepdim=True) > _VISIBLE)
    covered = F.avg_pool2d(seen, model.patch)  # (B, 1, H, W)
    near = F.max_pool2d(covered, 3, stride=1, padding=1)
    looked_at = model.looked_at.flatten().cpu()
    after = _patches(model, (copies * 255).round().to(torch.uint8))
    parts = []
    for i, number in enumerate(numbers.tolist()):
        inside = some(looked_at & (covered[i].flatten() > _COVERED), _DEFECTIVE_PER_COPY, generator)
        outside = some(looked_at & (near[i].flatten() == 0), len(inside), generator)
        features, pixels = (
            torch.cat([new[i, inside], old[i, inside], new[i, outside]])
            for old, new in zip(patches, after, strict=True)
        )
        defective = torch.arange(len(features)) < len(inside)
        everywhere = torch.ones_like(defective)
        parts.append(Samples(features, pixels, everywhere * number, everywhere, defective))
    return Samples.joined(parts)


def _patches(model: PatchAE, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Raw features (B, H W, C) float16 and pixels (B, H W, 3, P, P) uint8 of a uint8 batch."""
    raw = model.raw(batch.to(model.device).float() / 255)  # (B, H, W, C)
    side = model.patch
    cut = F.pixel_unshuffle(batch.float(), side).to(torch.uint8)  # (B, 3 P P, H, W)
    pixels = cut.flatten(2).permute(0, 2, 1).reshape(len(batch), -1, 3, side, side)
    return raw.flatten(1, 2).half().cpu(), pixels


def some(mask: Tensor, most: int, generator: Generator) -> Tensor:
    """Where a mask (N,) is true, at most `most` places of it, in an order drawn at random."""
    where = mask.nonzero()[:, 0]
    return where[torch.randperm(len(where), generator=generator)[:most]]
