"""Small pictures of images: 16-bit ones are seen, too."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchae.report.thumbnails import thumbnail


def seen(uri: str | None) -> np.ndarray:
    """The pixels of a thumbnail."""
    assert uri is not None
    with Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image)


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """A 16-bit file of a 12-bit camera, from 300 to 3800."""
    pixels = np.tile(np.linspace(300, 3800, 200).astype(np.uint16), (150, 1))
    Image.fromarray(pixels).save(tmp_path / "ramp.png")
    return tmp_path / "ramp.png"


def test_a_model_s_white_is_the_scale_of_16_bit_images(ramp: Path) -> None:
    pixels = seen(thumbnail(ramp, 320, 85, 4095))
    assert pixels.min() == pytest.approx(300 / 4095 * 255, abs=4)
    assert pixels.max() == pytest.approx(3800 / 4095 * 255, abs=4)
    assert seen(thumbnail(ramp, 320, 85, 1023)).max() == 255


def test_without_a_model_it_is_from_the_image_s_own_black_to_its_own_white(ramp: Path) -> None:
    pixels = seen(thumbnail(ramp, 144, 80))
    assert pixels.max() > 250
    assert pixels.min() < 5
    assert max(pixels.shape) <= 144


def test_what_is_no_image_is_nothing_to_see(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    assert thumbnail(tmp_path / "a.png", 144, 80) is None
