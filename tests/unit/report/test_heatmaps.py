"""Heat maps as pictures: what is warm lies above the threshold."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchae.model.images import WHITE, load
from patchae.report.heatmaps import heat_map, sheet
from tests.support import write_image

SIZE = 64


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An image file larger than its map."""
    path = tmp_path / "part.png"
    write_image(path, 3, side=96)
    return path


def _pixels(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def _warmth(pixels: np.ndarray) -> np.ndarray:
    """Red over blue: how far up the scale a pixel is."""
    warmth: np.ndarray = pixels[..., 0] - pixels[..., 2]
    return warmth


def test_the_left_half_is_the_image_as_the_model_saw_it(source: Path) -> None:
    pixels = _pixels(heat_map(source, np.zeros((SIZE, SIZE), np.float32), 1.0, WHITE))
    assert pixels.shape == (SIZE, 2 * SIZE, 3)
    assert np.array_equal(pixels[:, :SIZE], load(source, SIZE).permute(1, 2, 0).numpy())


def test_a_twelve_bit_image_is_as_bright_as_the_model_saw_it(tmp_path: Path) -> None:
    source, map_ = tmp_path / "part.png", np.zeros((SIZE, SIZE), np.float32)
    ramp = np.linspace(0, 4095, SIZE, dtype=np.uint16)[None].repeat(SIZE, axis=0)
    Image.fromarray(ramp).save(source)
    pixels = _pixels(heat_map(source, map_, 1.0, 4095))[:, :SIZE]
    assert pixels.max() == 255
    assert np.array_equal(pixels, load(source, SIZE, 4095).permute(1, 2, 0).numpy())


def test_warm_is_where_the_map_is_high(source: Path) -> None:
    anomaly = np.zeros((SIZE, SIZE), np.float32)
    anomaly[10:20, 30:50] = 2.0
    right = _pixels(heat_map(source, anomaly, 1.0, WHITE))[:, SIZE:]
    hot = anomaly > 0
    assert _warmth(right)[hot].min() > _warmth(right)[~hot].max()
    assert np.ptp(right[~hot][:, 0]) > 20, "the cold image stays visible"


def test_the_same_share_of_the_threshold_has_the_same_colour(source: Path) -> None:
    anomaly = np.linspace(0, 3, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    assert heat_map(source, anomaly, 1.0, WHITE) == heat_map(source, anomaly * 8, 8.0, WHITE)
    assert heat_map(source, anomaly, 1.0, WHITE) != heat_map(source, anomaly, 2.0, WHITE)


def test_the_scale_ends_at_twice_the_threshold(source: Path) -> None:
    twice, more = (np.full((SIZE, SIZE), level, np.float32) for level in (2.0, 50.0))
    assert heat_map(source, twice, 1.0, WHITE) == heat_map(source, more, 1.0, WHITE)


def test_a_threshold_of_nought_still_gives_a_picture(source: Path) -> None:
    assert (
        _pixels(heat_map(source, np.ones((SIZE, SIZE), np.float32), 0.0, WHITE)).shape[1]
        == 2 * SIZE
    )


def test_a_sheet_holds_every_picture_under_its_caption(source: Path) -> None:
    pictures = []
    for index in range(3):
        anomaly = np.full((SIZE, SIZE), index, np.float32)
        pictures.append((f"part {index}", heat_map(source, anomaly, 1.0, WHITE)))
    page = _pixels(sheet(pictures, columns=2))
    caption = page.shape[0] // 2 - SIZE
    assert page.shape == (2 * (caption + SIZE), 2 * 2 * SIZE, 3)
    for index, (_, png) in enumerate(pictures):
        top, left = index // 2 * (caption + SIZE), index % 2 * 2 * SIZE
        below = page[top + caption : top + caption + SIZE, left : left + 2 * SIZE]
        assert np.array_equal(below, _pixels(png))
        assert (page[top : top + caption, left : left + 2 * SIZE] < 128).any(), "the caption"
    assert (page[caption + SIZE :, 2 * SIZE :] == 255).all(), "the fourth place is empty"


def test_an_empty_sheet_is_a_picture_too() -> None:
    assert _pixels(sheet([])).shape[2] == 3
