"""Pictures of a part that lies in any direction."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

SIDE = 128


def pin(
    angle: float, *, at: tuple[float, float] = (0, 0), seed: int = 0, length: float = 1
) -> Tensor:
    """A pin with a head on a plain background, (3, SIDE, SIDE) uint8; degrees clockwise."""
    scale = 4
    image = Image.new("L", (SIDE * scale, SIDE * scale), 200)
    draw = ImageDraw.Draw(image)
    turn, middle = math.radians(angle), SIDE * scale / 2

    def place(along: float, across: float) -> tuple[float, float]:
        x, y = along * math.cos(turn) - across * math.sin(turn), along * math.sin(turn)
        y += across * math.cos(turn)
        return middle + (x + at[0]) * scale, middle + (y + at[1]) * scale

    tip = 40 * length
    draw.polygon([place(-40, -5), place(tip, -5), place(tip, 5), place(-40, 5)], fill=60)
    draw.polygon([place(-46, -14), place(-36, -14), place(-36, 14), place(-46, 14)], fill=60)
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.float64)
    pixels += np.random.default_rng(seed).normal(0, 2, pixels.shape)
    grey = torch.from_numpy(pixels.clip(0, 255).astype(np.uint8))
    return grey.expand(3, SIDE, SIDE).clone()
