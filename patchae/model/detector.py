"""The trained model of one class: images in, anomaly maps and scores out.

Two parts of a patch's vector lie side by side, whitened together: the frozen features around the
patch and the vector that the patch-wise auto-encoder learned for it. The first knows the world, the
second knows what this product's patches look like, defects included.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from patchae.model.network import PatchAutoEncoder

FORMAT = "patchae.model/1"
WEIGHTS_FILE = "model.safetensors"
FACTS_FILE = "model.json"


@dataclass(frozen=True)
class Scored:
    """The verdict on one image."""

    score: float
    """Anomaly score, 0 or more: the highest point of the smoothed map."""
    anomalous: bool
    """Whether the score lies above the model's threshold."""
    map: np.ndarray
    """Anomaly map (S, S), float32, in the units of the score."""


class PatchAE(nn.Module):
    """Backbone, patch-wise auto-encoder and memory of one class.

    Attributes:
        settings: the training settings that made it.
        facts: everything about the training that is not a tensor; `threshold` among it.
    """

    feature_mean: Tensor
    feature_std: Tensor
    vector_mean: Tensor
    whitening: Tensor
    memory: Tensor
    spread: Tensor

    def __init__(self, settings: Training, backbone: Backbone) -> None:
        super().__init__()
        self.settings = settings
        self.facts: dict[str, Any] = {}
        self.backbone = backbone
        features, vector = sum(backbone.channels), settings.channels
        self.autoencoder = PatchAutoEncoder(features, vector, min(settings.strides))
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_std", torch.ones(features))
        self.register_buffer("vector_mean", torch.zeros(features + vector))
        self.register_buffer("whitening", torch.eye(features + vector))
        self.register_buffer("memory", torch.zeros(0, features + vector))
        self.register_buffer("spread", torch.zeros(0))

    @property
    def threshold(self) -> float:
        """Scores above it are alarms."""
        return float(self.facts["threshold"])

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.feature_mean.device

    def features(self, images: Tensor) -> Tensor:
        """Standardized features (B, C, H, W), finest stride, of images (B, 3, S, S) in 0..1."""
        levels: list[Tensor] = self.backbone(images)
        finest = levels[0].shape[-2:]
        joined = torch.cat(
            [F.interpolate(f, size=finest, mode="bilinear", align_corners=False) for f in levels],
            dim=1,
        )
        mean, std = self.feature_mean.view(1, -1, 1, 1), self.feature_std.view(1, -1, 1, 1)
        return (joined - mean) / std

    def joined(self, features: Tensor) -> Tensor:
        """Frozen and learned part of each patch (B H W, C + D), of standardized features."""
        joined = torch.cat([features, self.autoencoder.encode(features)], dim=1)
        # A patch and its neighbours together: PatchCore's local awareness (Roth et al. 2022).
        around = F.avg_pool2d(joined, 3, stride=1, padding=1, count_include_pad=False)
        return around.permute(0, 2, 3, 1).flatten(0, 2)

    def vectors(self, features: Tensor) -> Tensor:
        """Whitened patch vectors (B H W, C + D), the space in which distances are taken."""
        return (self.joined(features) - self.vector_mean) @ self.whitening

    @torch.inference_mode()
    def maps(self, images: Tensor) -> Tensor:
        """Anomaly maps (B, H, W) at the finest stride, of uint8 images (B, 3, S, S)."""
        features = self.features(images.to(self.device).float() / 255)
        batch, _, height, width = features.shape
        distances = memories.distances(
            self.vectors(features), self.memory, self.spread, self.settings.neighbours
        )
        maps = distances.view(batch, 1, height, width)
        # One patch alone may be noise; a defect moves its neighbours too.
        return F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)[:, 0]

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
