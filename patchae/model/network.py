"""The patch-wise auto-encoder: features of a patch -> one vector -> that patch's own pixels.

    encoder   features (..., C)  ->  r (..., D)
    decoder   r (..., D)         ->  pixels (..., 3, P, P)      r alone gives its P x P patch

An ordinary decoder could copy a defect's surroundings over it. Here a vector has nothing but itself
to explain its patch, so whatever is in the patch, defects included, must be encoded in it (Cui et
al. 2023). Layers, widths and activations are ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PatchAutoEncoder(nn.Module):
    """Encoder and decoder of single patches.

    Args:
        features: length C of a patch's features.
        vector: length D of a patch vector.
        patch: side P of a patch in pixels.
    """

    def __init__(self, features: int, vector: int, patch: int) -> None:
        super().__init__()
        hidden = 2 * vector
        self.patch = patch
        self.encoder = nn.Sequential(
            nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, vector)
        )
        self.decoder = nn.Sequential(
            nn.Linear(vector, hidden), nn.GELU(), nn.Linear(hidden, 3 * patch * patch)
        )

    def initialize(self, generator: torch.Generator) -> None:
        """Draw all weights anew from `generator`, so that no global state decides them."""
        initialize(self, generator)

    def encode(self, features: Tensor) -> Tensor:
        """Patch vectors r (..., D) of features (..., C)."""
        r: Tensor = self.encoder(features)
        return r

    def decode(self, r: Tensor) -> Tensor:
        """Pixels (..., 3, P, P) around 0.5 of patch vectors (..., D)."""
        pixels: Tensor = self.decoder(r).unflatten(-1, (3, self.patch, self.patch))
        return 0.5 + pixels

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and reconstructed pixels."""
        r = self.encode(features)
        return r, self.decode(r)


def initialize(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of every linear layer of a module from `generator`; biases become 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)


def reconstruction_loss(reconstructed: Tensor, pixels: Tensor, defective: Tensor) -> Tensor:
    """Squared error, once over all patches and once over those with an artificial defect alone.

    The second term keeps the few defects from drowning in the many good patches: they are what the
    vectors are to learn.

    Args:
        reconstructed: (N, 3, P, P).
        pixels: the patches as the network saw them, defects included (N, 3, P, P), 0..1.
        defective: whether a patch lies in an artificial defect (N,), bool.
    """
    error = (reconstructed - pixels).square().flatten(1).mean(dim=1)  # (N,)
    inside = (error * defective).sum() / defective.sum().clamp(min=1)
    return error.mean() + inside
