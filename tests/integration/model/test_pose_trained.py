"""A model of parts that lie in any direction."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from patchae.config import Training
from patchae.files import sha256_file
from patchae.model.detector import PatchAE
from patchae.model.training import train
from tests.support.pins import SIDE, pin


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
