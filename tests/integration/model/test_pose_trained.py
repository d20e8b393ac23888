"""A model of parts that lie in any direction."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from patchae.config import Training
from patchae.files import sha256_file
from patchae.model.detector import PatchAE
from patchae.model.training import train

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


def test_a_model_of_loose_parts_finds_damage_in_any_direction(tmp_path: Path) -> None:
    """The whole way: train, save, load, score parts that lie as no training image does."""
    images = []
    for number in range(24):
        images.append(tmp_path / f"{number:02d}.png")
        Image.fromarray(pin(15 * number, seed=number)[0].numpy()).save(images[-1])
    settings = Training(
        backbone="tf_efficientnet_lite0", image_size=SIDE, epochs=2, damaged_images=24,
        memory_size=400, channels=16,
    )  # fmt: skip
    model = train(images, [sha256_file(path) for path in images], settings)
    assert model.pose is not None
    model.save(tmp_path / "model")
    again = PatchAE.load(tmp_path / "model")
    assert asdict(again.pose) == asdict(model.pose)  # type: ignore[call-overload]
    whole = [pin(angle, seed=90 + number) for number, angle in enumerate((8, 97, 200, 305))]
    damaged = []
    for part, turned in zip(whole, (8, 97, 200, 305), strict=True):
        copy, turn = part.clone(), math.radians(turned)
        x, y = 64 + 15 * math.cos(turn), 64 + 15 * math.sin(turn)
        copy[:, int(y) - 4 : int(y) + 4, int(x) - 4 : int(x) + 4] = 230
        damaged.append(copy)
    arrays = [image.permute(1, 2, 0).numpy() for image in (*whole, *damaged)]
    scored = again.score(arrays)
    scores = [one.score for one in scored]
    assert min(scores[4:]) > max(scores[:4])
    for one, turned in zip(scored[4:], (8, 97, 200, 305), strict=True):
        turn = math.radians(turned)
        row, column = 64 + 15 * math.sin(turn), 64 + 15 * math.cos(turn)
        at = np.unravel_index(one.map.argmax(), one.map.shape)
        assert math.hypot(at[0] - row, at[1] - column) < 20
        assert (one.map == 0).any(), "the corners are not looked at"
