"""How an image looks: each number says what it is for, and nothing else moves it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from patchae.dataset.looks import HASH_BITS, Looks, look
from patchae.dataset.validation.likeness import distances


def scene(seed: int = 0, side: int = 160) -> Image.Image:
    """A soft coloured scene with sharp discs."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((side, side))
    pixels = np.stack([60 + 0.3 * rows, 80 + 0.2 * columns, 90 + 0.1 * rows], axis=2)
    for _ in range(12):
        row, column = random.integers(10, side - 10, 2).tolist()
        pixels[(rows - row) ** 2 + (columns - column) ** 2 < 81] = random.integers(40, 200, 3)
    pixels += random.normal(0, 2, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved_again(image: Image.Image) -> Image.Image:
    content = BytesIO()
    image.save(content, "JPEG", quality=80)
    return Image.open(content)


def test_light_is_told_on_the_scale_of_the_type() -> None:
    for level in (0, 51, 255):
        flat = look(Image.new("L", (20, 12), level))
        assert flat.brightness == flat.highest == pytest.approx(level / 255)
        assert (flat.contrast, flat.sharpness, flat.dead) == (0, 0, 0)
        assert flat.black == float(level == 0)
        assert flat.white == float(level == 255)
    halves = np.zeros((10, 10), np.uint8)
    halves[:5] = 200
    assert look(Image.fromarray(halves)).contrast == pytest.approx(100 / 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"])
def test_every_mode_is_measured(mode: str) -> None:
    assert 0.2 < look(scene().convert(mode)).brightness < 0.8


def test_a_16_bit_image_looks_like_its_8_bit_twin_but_darker() -> None:
    grey = scene().convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 16)  # 12 bits of 16
    eight, sixteen = look(grey), look(wide)
    assert sixteen.brightness == pytest.approx(eight.brightness * 255 * 16 / 65535, rel=1e-3)
    assert sixteen.sharpness == pytest.approx(eight.sharpness, rel=0.02)
    assert distances([eight.perceptual_hash], [sixteen.perceptual_hash])[0, 0] < 8
    saturated = np.full((8, 8), 4095, np.uint16)
    assert look(Image.fromarray(saturated)).white == 1


def test_the_order_of_bytes_does_not_show() -> None:
    pixels = np.asarray(scene().convert("L")).astype(np.uint16) * 16
    little = Image.fromarray(pixels)
    swapped = pixels.astype(">u2").tobytes()
    big = Image.frombytes("I;16B", (pixels.shape[1], pixels.shape[0]), swapped)
    assert (big.mode, look(big)) == ("I;16B", look(little))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("aligned", ["right", "left"])
def test_white_is_the_largest_value_of_a_camera(bits: int, aligned: str) -> None:
    pixels = np.full((10, 10), 2**bits - 1, np.uint16)
    pixels[:1] //= 2
    wide = pixels << (16 - bits) if aligned == "left" else pixels
    assert look(Image.fromarray(wide)).white == 0.9
    assert look(Image.fromarray(wide // 3)).white == 0


def test_a_tint_is_seen_in_coloured_images_alone() -> None:
    plain = look(scene())
    pixels = np.asarray(scene()).astype(int)
    warm = look(Image.fromarray((pixels + np.array([20, 0, -10])).clip(0, 255).astype(np.uint8)))
    assert warm.red - plain.red == pytest.approx(20 / 255, abs=0.01)
    assert warm.blue - plain.blue == pytest.approx(-10 / 255, abs=0.01)
    assert (look(scene().convert("L")).red, look(scene().convert("L")).blue) == (0, 0)


def test_blur_lowers_sharpness_and_a_darker_lamp_does_not() -> None:
    sharp = look(scene()).sharpness
    assert look(scene().filter(ImageFilter.GaussianBlur(3))).sharpness < 0.5 * sharp
    darker = look(ImageEnhance.Brightness(scene()).enhance(0.5)).sharpness
    assert darker == pytest.approx(sharp, rel=0.1)


@pytest.mark.parametrize(("value", "around"), [(0, 160), (255, 100)])
def test_pixels_that_stand_out_alone_are_counted(value: int, around: int) -> None:
    pixels = np.full((40, 40), around, np.uint8)
    pixels[5, 7] = pixels[20, 30] = value
    assert look(Image.fromarray(pixels)).dead == 2
    pixels[25:] = value  # an edge is no dead pixel
    assert look(Image.fromarray(pixels)).dead == 2


SAME: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved again": saved_again,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.08),
    "grey": lambda image: image.convert("L"),
}


@pytest.mark.parametrize("change", SAME)
def test_a_copy_keeps_its_hash_and_another_photo_has_another(change: str) -> None:
    def near(a: Looks, b: Looks) -> int:
        return int(distances([a.perceptual_hash], [b.perceptual_hash])[0, 0])

    one, other = look(scene(1)), look(scene(2))
    assert near(one, look(SAME[change](scene(1)))) < 16
    assert near(one, other) > 50


def test_distances_count_bits() -> None:
    none, one, every = "0" * 64, "8" + "0" * 63, "f" * 64
    assert distances([none, one], [none, one, every]).tolist() == [
        [0, 1, HASH_BITS],
        [1, 0, HASH_BITS - 1],
    ]
    assert distances([], [none]).shape == (0, 1)


def test_the_smallest_image_is_measured() -> None:
    assert look(Image.new("RGB", (1, 1), "white")).highest == 1
