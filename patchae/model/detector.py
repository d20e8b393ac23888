"""The trained model of one class: images in, anomaly maps and scores out.

Two parts of a patch's vector lie side by side, whitened together: the frozen features around the
patch and the vector that the patch-wise auto-encoder learned for it. The first knows the world, the
second knows what this product's patches look like, defects included. Each vector is compared with
its nearest normal ones; how far it is and in which direction makes the score.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from patchae.config import Training
from patchae.errors import DataError
from patchae.files import write_json
from patchae.model import images as image_files
from patchae.model import memory as memories
from patchae.model.backbone import Backbone
from patchae.model.heads import Compared, Head, compare
from patchae.model.network import PatchAutoEncoder

FORMAT = "patchae.model/2"
WEIGHTS_FILE = "model.safetensors"
FACTS_FILE = "model.json"
_CONTEXTS = (False, True)
_WEIGHTS = (0.25, 1.0, 1.0)
"""Of the views. The heads see distances too and find more; the distance alone stays as a guard for
what no artificial defect resembles. Chosen by cross-validation on good training images."""
_BEND = 4.0


@dataclass(frozen=True)
class Scored:
    """The verdict on one image."""

    score: float
    """Anomaly score, above 0: the highest point of the map."""
    anomalous: bool
    """Whether the score lies above the model's threshold."""
    map: np.ndarray
    """Anomaly map (S, S), float32, in the units of the score."""


class PatchAE(nn.Module):
    """Backbone, patch-wise auto-encoder, memory and heads of one class.

    Attributes:
        settings: the training settings that made it.
        facts: everything about the training that is not a tensor; `threshold` among it.
        patch: side P of a patch in pixels.
    """

    feature_mean: Tensor
    feature_std: Tensor
    vector_mean: Tensor
    whitening: Tensor
    memory: Tensor
    spread: Tensor
    view_mean: Tensor
    view_scale: Tensor

    def __init__(self, settings: Training, backbone: Backbone) -> None:
        super().__init__()
        self.settings = settings
        self.facts: dict[str, Any] = {}
        self.backbone = backbone
        self.patch = min(settings.strides)
        features = sum(backbone.channels)
        vector = features + settings.channels
        self.autoencoder = PatchAutoEncoder(features, settings.channels, self.patch)
        self.heads = nn.ModuleList(
            Head((3 if context else 2) * vector + settings.neighbours)
            for context in (_CONTEXTS if settings.damaged_images else ())
        )
        views = 1 + len(self.heads)
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_std", torch.ones(features))
        self.register_buffer("vector_mean", torch.zeros(vector))
        self.register_buffer("whitening", torch.eye(vector))
        self.register_buffer("memory", torch.zeros(0, vector))
        self.register_buffer("spread", torch.zeros(0))
        self.register_buffer("view_mean", torch.zeros(views))
        self.register_buffer("view_scale", torch.ones(views))

    @property
    def threshold(self) -> float:
        """Scores above it are alarms."""
        return float(self.facts["threshold"])

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.feature_mean.device

    def raw(self, images: Tensor) -> Tensor:
        """Frozen features (B, H, W, C) at the finest stride, of images (B, 3, S, S) in 0..1."""
        # A patch and its neighbours together: PatchCore's local awareness (Roth et al. 2022).
        levels = [
            F.avg_pool2d(level, 3, stride=1, padding=1, count_include_pad=False)
            for level in self.backbone(images)
        ]
        finest = levels[0].shape[-2:]
        levels[1:] = [
            F.interpolate(level, size=finest, mode="bilinear", align_corners=False)
            for level in levels[1:]
        ]
        return torch.cat(levels, dim=1).permute(0, 2, 3, 1)

    def joined(self, raw: Tensor) -> Tensor:
        """Frozen and learned part of patches (N, C + D), of raw features (N, C)."""
        features = (raw - self.feature_mean) / self.feature_std
        return torch.cat([features, self.autoencoder.encode(features)], dim=1)

    def vectors(self, raw: Tensor) -> Tensor:
        """Whitened patch vectors (N, C + D), the space in which distances are taken."""
        return (self.joined(raw) - self.vector_mean) @ self.whitening

    def views(self, near: Compared) -> Tensor:
        """How anomalous Q patches are, seen in several ways: (Q, views), each in its own unit.

        The first is the density-corrected distance, the others are the logits of the heads.
        """
        seen = [memories.corrected(near.distances, near.spread)]
        seen += [head(near.inputs(context)) for head, context in self.told_apart()]
        return torch.stack(seen, dim=1)

    def told_apart(self) -> list[tuple[Head, bool]]:
        """The heads, each with whether it reads the context; none without artificial defects."""
        return [
            (cast("Head", head), context)
            for head, context in zip(self.heads, _CONTEXTS, strict=False)
        ]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and anomaly maps (B, H, W) at the finest stride, of uint8 (B, 3, S, S)."""
        raw = self.raw(images.float() / 255)
        batch, height, width, _ = raw.shape
        vectors = self.vectors(raw.flatten(0, 2))
        seen = self.views(compare(vectors, self.memory, self.spread, self.settings.neighbours))
        weights = self.view_mean.new_tensor(_WEIGHTS[: seen.shape[1]])
        fused = ((seen - self.view_mean) / self.view_scale) @ (weights / weights.sum())
        maps = fused.view(batch, 1, height, width)
        # One patch alone may be noise; a defect moves its neighbours too.
        smooth = F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)[:, 0]
        # Keeps the order; an ordinary patch is near 0, the most unusual normal ones near 1.
        positive = F.softplus(smooth, beta=_BEND)
        return positive.flatten(1).amax(dim=1), positive

    @torch.inference_mode()
    def maps(self, images: Tensor) -> Tensor:
        """Anomaly maps (B, H, W) at the finest stride, of uint8 images (B, 3, S, S)."""
        _, maps = self(images.to(self.device))
        return cast("Tensor", maps)

    def score(self, sources: Sequence[image_files.ImageLike], batch_size: int = 8) -> list[Scored]:
        """Score images, given as files or arrays.

        Raises:
            DataError: one of them is not an image.
        """
        size, threshold, results = self.settings.image_size, self.threshold, []
        for start in range(0, len(sources), batch_size):
            batch = image_files.load_batch(sources[start : start + batch_size], size)
            maps = self.maps(batch)
            peaks = maps.flatten(1).amax(dim=1)
            full = F.interpolate(
                maps[:, None], size=(size, size), mode="bilinear", align_corners=False
            )[:, 0]
            for peak, map_ in zip(peaks.tolist(), full.cpu().numpy(), strict=True):
                results.append(Scored(peak, peak > threshold, map_))
        return results

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`. Equal models give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.cpu().contiguous() for key, value in self.state_dict().items()}
        save_file(tensors, folder / WEIGHTS_FILE)
        facts = {"format": FORMAT, "settings": self.settings.model_dump(mode="json")}
        write_json(folder / FACTS_FILE, {**facts, **self.facts})

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> PatchAE:
        """Read what `save` wrote. Nothing is unpickled.

        Raises:
            DataError: the folder holds no model, or one of another format.
        """
        try:
            facts = dict(json.loads((folder / FACTS_FILE).read_text()))
            format_ = facts.pop("format")
            if format_ != FORMAT:  # before anything else of it is looked at
                raise DataError(
                    f"a model of format {format_}, expected {FORMAT}",
                    where=str(folder),
                    mend="use the version of patchae that trained it, or train the class again",
                )
            settings = Training(**facts.pop("settings"))
            tensors = load_file(folder / WEIGHTS_FILE)
            model = cls(settings, Backbone(settings.backbone, settings.strides))
            model.memory = torch.empty_like(tensors["memory"])
            model.spread = torch.empty_like(tensors["spread"])
            model.load_state_dict(tensors)  # RuntimeError: tensors of another network
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]  # torch lists every tensor
            raise DataError(
                f"not a model: {reason}", where=str(folder), mend="train the class again"
            ) from None
        model.facts = facts
        return model.to(device).eval()
