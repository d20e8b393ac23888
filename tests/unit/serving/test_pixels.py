"""A file is decoded as the model reads it, in one frame, and at no other cost than its own."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from patchae.errors import DataError
from patchae.model.images import load
from patchae.serving.pixels import decoded
from tests.integration.serving.test_hostile import encoded, tiff
from tests.support.wide import wide_png, wide_tiff

MODES = {
    ".png": ["L", "RGB", "RGBA", "P", "I;16", "1", "LA"],
    ".tiff": ["L", "RGB", "RGBA", "P", "I;16", "1", "LA", "CMYK"],
    ".bmp": ["L", "RGB", "RGBA", "P", "1"],
    ".jpg": ["L", "RGB", "CMYK", "1"],
}


@pytest.mark.parametrize(("suffix", "mode"), [(s, mode) for s in MODES for mode in MODES[s]])
def test_a_file_is_decoded_as_the_model_reads_it(tmp_path: Path, suffix: str, mode: str) -> None:
    random = np.random.default_rng(0)
    if mode == "I;16":
        image = Image.fromarray(random.integers(0, 4095, (40, 56), dtype=np.uint16))
    else:
        grey = Image.fromarray(random.integers(0, 255, (40, 56, 3), dtype=np.uint8))
        image = grey.convert(mode)
    file = tmp_path / f"image{suffix}"
    image.save(file)
    seen = decoded(file.read_bytes(), 32, 4095)
    assert seen.equal(load(file, 32, 4095))


def flat(channels: int) -> np.ndarray:
    """As a camera of 12 bits sees a bright wall, (H, W, C)."""
    return np.full((24, 40, channels), 4_000, np.uint16)


@pytest.mark.parametrize(
    "content",
    [
        *(wide_png(flat(channels)) for channels in (2, 3, 4)),
        *(wide_tiff(flat(3), apart=apart) for apart in (False, True)),
    ],
)
def test_colour_of_16_bits_is_refused_and_not_cut_to_8(content: bytes) -> None:
    with pytest.raises(DataError, match=r"of mode RGBA?;16") as caught:
        decoded(content, 32, 255)
    assert "16-bit grey" in str(caught.value.mend)
    assert decoded(wide_png(flat(1)), 32, 4095).max() > 240


def test_the_images_of_a_tiff_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for that grows with the square of their number."""
    read: list[int] = []
    real = ImageFileDirectory_v2.load

    def counted(self: ImageFileDirectory_v2, file: IO[bytes]) -> None:
        read.append(file.tell())
        real(self, file)

    monkeypatch.setattr(ImageFileDirectory_v2, "load", counted)
    assert decoded(tiff(1), 8, 255).shape == (3, 8, 8)
    one = len(read)
    with pytest.raises(DataError, match="several images"):
        decoded(tiff(3_000), 8, 255)
    assert 0 < len(read) - one <= one


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP"])
def test_a_file_of_two_images_is_refused_in_every_format_that_has_them(kind: str) -> None:
    images = [Image.effect_noise((16, 16), spread).convert("RGB") for spread in (20, 90)]
    assert decoded(encoded(images[0], kind), 8, 255) is not None
    with pytest.raises(DataError, match="several images"):
        decoded(encoded(images[0], kind, save_all=True, append_images=images[1:]), 8, 255)
