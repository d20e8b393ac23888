"""What a stranger sends to a model is refused by its header, before anything of it is decoded."""

from __future__ import annotations

from typing import IO

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from patchae.errors import DataError
from patchae.images.learned import Learned, opened
from patchae.model.images import load
from tests.integration.serving.test_hostile import encoded, tiff
from tests.support.wide import wide_png, wide_tiff


def check(content: bytes) -> None:
    with opened(content) as image:
        Learned().check(image, 4_095)


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
        check(content)
    assert "16-bit grey" in str(caught.value.mend)
    check(wide_png(flat(1)))
    assert load(wide_png(flat(1)), 32, 4_095).max() > 240


def test_the_images_of_a_tiff_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for that grows with the square of their number."""
    read: list[int] = []
    real = ImageFileDirectory_v2.load

    def counted(self: ImageFileDirectory_v2, file: IO[bytes]) -> None:
        read.append(file.tell())
        real(self, file)

    monkeypatch.setattr(ImageFileDirectory_v2, "load", counted)
    check(tiff(1))
    one = len(read)
    with pytest.raises(DataError, match="several images"):
        check(tiff(3_000))
    assert 0 < len(read) - one <= one


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP"])
def test_a_file_of_two_images_is_refused_in_every_format_that_has_them(kind: str) -> None:
    images = [Image.effect_noise((16, 16), spread).convert("RGB") for spread in (20, 90)]
    check(encoded(images[0], kind))
    with pytest.raises(DataError, match="several images"):
        check(encoded(images[0], kind, save_all=True, append_images=images[1:]))
