"""The patch-wise auto-encoder: features -> one vector per patch -> that patch's own pixels.

    encoder   features (B, C, H, W)  ->  r (B, D, H, W)            1 x 1: no patch sees another
    decoder   r        (B, D, H, W)  ->  pixels (B, 3, H P, W P)   r_ij alone gives its P x P patch

An ordinary decoder could copy a defect's surroundings over it. Here a vector has nothing but itself
to explain its patch, so whatever is in the patch, defects included, must be encoded in it (Cui et
al. 2023). Layers, widths and activations are ours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchAutoEncoder(nn.Module):
    """Encoder and decoder over features of one stride.

    Args:
        features: channels C of the input features.
        vector: length D of a patch vector.
        patch: side P of a patch in pixels.
    """

    def __init__(self, features: int, vector: int, patch: int) -> None:
        super().__init__()
        hidden = 2 * vector
        self.patch = patch
        self.encoder = nn.Sequential(
            nn.Conv2d(features, hidden, 1),
            nn.GELU(),
            nn.Conv2d(hidden, vector, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(vector, hidden, 1),
            nn.GELU(),
            nn.Conv2d(hidden, 3 * patch * patch, 1),
        )

    def initialize(self, generator: torch.Generator) -> None:
        """Draw all weights anew from `generator`, so that no global state decides them."""
        for layer in (*self.encoder, *self.decoder):
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.trunc_normal_(
                    layer.weight, std=layer.in_channels**-0.5, generator=generator
                )
                nn.init.zeros_(layer.bias)

    def encode(self, features: Tensor) -> Tensor:
        """Patch vectors r (B, D, H, W) of features (B, C, H, W)."""
        r: Tensor = self.encoder(features)
        return r

    def decode(self, r: Tensor) -> Tensor:
        """Pixels (B, 3, H P, W P) around 0.5 of patch vectors (B, D, H, W)."""
        patches = self.decoder(r)  # (B, 3 P P, H, W)
        return 0.5 + F.pixel_shuffle(patches, self.patch)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and reconstructed pixels."""
        r = self.encode(features)
        return r, self.decode(r)


def reconstruction_loss(pixels: Tensor, images: Tensor, defects: Tensor) -> Tensor:
    """Squared error, once over the whole image and once over its artificial defects alone.

    The second term keeps a small defect from drowning in the surface around it: it is what the
    vectors are to learn.

    Args:
        pixels: reconstruction (B, 3, S, S).
        images: the images as the network saw them, defects included (B, 3, S, S), 0..1.
        defects: where the artificial defects are (B, 1, S, S), 0 or 1.
    """
    error = (pixels - images).square().mean(dim=1, keepdim=True)  # (B, 1, S, S)
    inside = (error * defects).sum() / defects.sum().clamp(min=1)
    return error.mean() + inside
