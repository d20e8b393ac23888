"""Which pixels a mask marks, however it was written."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from patchae.dataset.picture import picture_of
from patchae.images import load_mask, marked

SIDE = 96
WHERE = np.zeros((SIDE, SIDE), bool)
WHERE[20:32, 40:52] = True
WHERE[60:62, 10:70] = True  # a scratch of two pixels


def painted(values: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    """The areas of `WHERE`, each with a value of its own."""
    levels = np.zeros((SIDE, SIDE), dtype)
    levels[20:32, 40:52] = values[0]
    levels[60:62, 10:70] = values[-1]
    return levels


def coloured(*colours: tuple[int, ...]) -> Image.Image:
    levels = np.zeros((SIDE, SIDE, len(colours[0])), np.uint8)
    levels[20:32, 40:52] = colours[0]
    levels[60:62, 10:70] = colours[-1]
    return Image.fromarray(levels)


def indexed(values: tuple[int, ...], palette: list[int]) -> Image.Image:
    image = Image.fromarray(painted(values)).convert("L").convert("P")
    image.putdata(painted(values).ravel().tolist())
    image.putpalette(palette)
    return image


MASKS = {
    "white": Image.fromarray(painted((255,))),
    "class ids": Image.fromarray(painted((1, 2))),
    "a low id beside a void": Image.fromarray(painted((255, 1))),
    "one bit": Image.fromarray(painted((255,)) > 0),
    "16 bits, low ids": Image.fromarray(painted((1, 300), np.uint16)),
    "32 bits": Image.fromarray(painted((1, 70_000), np.int32)),
    "floats": Image.fromarray(painted((1,), np.float32) * np.float32(0.25)),
    "colours of low value": coloured((1, 0, 0), (0, 0, 3)),
    "opaque alpha": Image.fromarray(painted((1,))).convert("L").convert("LA"),
    "transparent ground of any colour": Image.fromarray(
        np.dstack([np.full((SIDE, SIDE, 3), 255, np.uint8), painted((255,))])
    ),
    "black paint on a transparent ground": Image.fromarray(
        np.dstack([np.zeros((SIDE, SIDE, 3), np.uint8), painted((255,))])
    ),
    "no alpha at all": Image.fromarray(
        np.dstack([painted((7,))] * 3 + [np.zeros((SIDE, SIDE), np.uint8)])
    ),
    "a palette of low colours": indexed((1, 2), [0, 0, 0, 0, 0, 1, 1, 0, 0]),
    "class ids without colours": indexed((1, 2), [0, 0, 0]),
    "a palette that begins with the mark": indexed((0,), [255, 255, 255, 0, 0, 0]),
    "a palette without black": indexed((1, 2), [31, 119, 180, 255, 127, 14, 44, 160, 44]),
}
MASKS["a palette that begins with the mark"].putdata((~WHERE).ravel().astype(int).tolist())


@pytest.mark.parametrize("name", MASKS)
def test_a_mark_counts_however_it_is_written(name: str) -> None:
    assert (marked(MASKS[name]) == WHERE).all()


@pytest.mark.parametrize("name", MASKS)
def test_validation_and_evaluation_read_the_same(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mask.tif"
    MASKS[name].save(file)
    picture = picture_of(file.read_bytes(), as_mask=True)
    assert picture.problem is None
    assert picture.coverage == pytest.approx(load_mask(file, SIDE).mean())
    assert (load_mask(file, SIDE) == WHERE).all()


def as_jpeg(mask: Image.Image, quality: int) -> Image.Image:
    content = BytesIO()
    mask.save(content, "JPEG", quality=quality)
    return Image.open(content)


@pytest.mark.parametrize("quality", [50, 75, 90, 95, 99])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_noise_of_jpeg_marks_nothing(quality: int, mode: str) -> None:
    noisy = as_jpeg(MASKS["white"].convert(mode), quality)
    assert (np.asarray(noisy.convert("L")) > 0).sum() > WHERE.sum()
    assert (marked(noisy) == WHERE).all()


@pytest.mark.parametrize("side", [24, 50, 130, 200])
def test_soft_edges_are_cut_at_half(side: int) -> None:
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[20:60, 20:60] = 255
    soft = Image.fromarray(square).resize((side, side), Image.Resampling.BICUBIC)
    soft = soft.filter(ImageFilter.GaussianBlur(1))
    assert (marked(soft) == (np.asarray(soft) > 127)).all()
    assert marked(soft).mean() == pytest.approx((square > 0).mean(), rel=0.15)


def test_an_empty_mask_marks_nothing() -> None:
    assert not marked(Image.new("L", (SIDE, SIDE))).any()
    assert not marked(Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 255))).any()
    assert not marked(Image.new("P", (SIDE, SIDE))).any()


def test_a_mask_of_which_pillow_reads_half_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    # A PNG of 16-bit colour: Pillow cannot write one.
    import struct
    import zlib

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    rows = b"".join(b"\0" + bytes([0, 1, 0, 0, 0, 0]) * 8 for _ in range(8))
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    problem = picture_of(file.read_bytes(), as_mask=True).problem
    assert problem is not None
    assert "save it with 8 bits" in problem
