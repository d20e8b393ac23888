"""Where a model looks, as PNG: the map over the image, and what lies above the threshold."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor


def heat(pixels: Tensor, anomaly: np.ndarray, threshold: float) -> bytes:
    """PNG (S, S) of an image, uint8 (3, S, S), under its anomaly map (H, W)."""
    from PIL import Image

    from patchae.evidence.overlay import overlay

    image = pixels.permute(1, 2, 0).numpy()
    return _png(Image.fromarray(overlay(image, _full(anomaly, image.shape[0]), threshold)))


def mask(anomaly: np.ndarray, side: int, threshold: float) -> bytes:
    """PNG (S, S) in black and white: white where the map (H, W) lies above the threshold."""
    from PIL import Image

    return _png(Image.fromarray(_full(anomaly, side) > threshold))


def _full(anomaly: np.ndarray, side: int) -> np.ndarray:
    import torch
    import torch.nn.functional as F

    # As `PatchAE.score` brings a map to the size of the image.
    grid = torch.from_numpy(anomaly)[None, None]
    full: np.ndarray = F.interpolate(
        grid, size=(side, side), mode="bilinear", align_corners=False
    ).numpy()[0, 0]
    return full


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
