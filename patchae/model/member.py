"""What one network of the backbone makes of a patch: a vector, its nearest normal ones, a verdict.

Two parts of a patch's vector lie side by side, whitened together: the frozen features around the
patch and the vector that the patch-wise auto-encoder learned for it. The first knows the world, the
second knows what this product's patches look like, defects included. Each vector is compared with
its nearest normal ones; how far it is and in which direction says how anomalous the patch is.

Each network of a backbone has a member of its own, and their verdicts are averaged: networks that
were trained apart err differently, and in one long vector the errors of one drown the other.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from patchae.config import Training
from patchae.model import memory as memories
from patchae.model.heads import Compared, Head, compare
from patchae.model.network import PatchAutoEncoder

_CONTEXTS = (False, True)
WEIGHTS = (1.0, 1.0, 1.0)
"""Of the views: the distance, then the heads. Chosen by cross-validation on good training images,
with damage of kinds that no head was taught, see docs/benchmarks.md."""


class Member(nn.Module):
    """Patch-wise auto-encoder, memory and heads on the features of one network.

    Args:
        settings: the training settings of the model.
        features: length C of a patch's raw features.
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

    def __init__(self, settings: Training, features: int, patch: int) -> None:
        super().__init__()
        self.neighbours = settings.neighbours
        vector = features + settings.channels
        self.autoencoder = PatchAutoEncoder(features, settings.channels, patch)
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
    def device(self) -> torch.device:
        """Where it computes."""
        return self.feature_mean.device

    def standardized(self, raw: Tensor) -> Tensor:
        """Raw features (..., C), each channel in units of its deviation over normal patches."""
        return (raw - self.feature_mean) / self.feature_std

    def joined(self, raw: Tensor) -> Tensor:
        """Frozen and learned part of patches (N, C + D), of raw features (N, C)."""
        features = self.standardized(raw)
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

    def forward(self, raw: Tensor) -> Tensor:
        """How anomalous patches are (Q,), of raw features (Q, C).

        Near 0 for an ordinary patch, near 1 for the most unusual normal ones.
        """
        near = compare(self.vectors(raw), self.memory, self.spread, self.neighbours)
        views = (self.views(near) - self.view_mean) / self.view_scale
        # A head that finds a patch more ordinary than most says nothing against the distance.
        views = torch.cat([views[:, :1], views[:, 1:].clamp(min=0)], dim=1)
        weights = views.new_tensor(WEIGHTS[: views.shape[1]])
        anomalies: Tensor = views @ (weights / weights.sum())
        return anomalies
