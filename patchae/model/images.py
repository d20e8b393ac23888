"""From image files and arrays to the tensors that the network sees.

Every way in ends in the same place: three channels, `size` x `size` pixels, 0..255. The resize is
Pillow's bilinear filter with antialiasing, the same on every platform.

A 16-bit file does not say how many bits its camera has. Which value is white is therefore found
once per class, by `white_of`, and is part of the model: found per image, a dark part would be
brightened and look like another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from patchae.errors import DataError
from patchae.images import form_of
from patchae.images.learned import opened, require_pixels

ImageLike = Path | str | bytes | np.ndarray
WHITE = 65_535
"""The largest value of a 16-bit image."""
_BITS = (8, 10, 12, 14, 16)


def load(source: ImageLike, size: int, white: int = WHITE, max_pixels: int | None = None) -> Tensor:
    """Return one image as uint8 (3, size, size).

    Args:
        source: a file, the bytes of one, or an array (H, W), (H, W, 1) or (H, W, 3), uint8, or
            float in 0..1.
        size: side in pixels.
        white: value that counts as 255 in a 16-bit file; what lies above it counts as 255 too.
        max_pixels: width times height above which a file is not decoded; None: there is no limit,
            for files that were checked before.

    Raises:
        DataError: the file is not an image that can be decoded, or the array has another shape.
    """
    if isinstance(source, np.ndarray):
        image = _from_array(source)
    else:
        image = _from_file(Path(source) if isinstance(source, str) else source, white, max_pixels)
    resized = image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=None)
    pixels = np.asarray(resized, dtype=np.uint8)  # (size, size, 3)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous()


def load_batch(
    sources: Sequence[ImageLike], size: int, white: int = WHITE, max_pixels: int | None = None
) -> Tensor:
    """Return images as one uint8 tensor (B, 3, size, size)."""
    return torch.stack([load(source, size, white, max_pixels) for source in sources])


def white_of(paths: Sequence[Path]) -> int:
    """The largest value that a camera gives, from 16-bit files of it: 2^bits - 1.

    Raises:
        DataError: a file is not an image that can be decoded.
    """
    highest = 0
    for path in paths:
        with opened(path) as image:
            if image.mode.startswith("I;16"):
                highest = max(highest, int(np.asarray(image).max()))
    return next((2**bits - 1 for bits in _BITS if highest < 2**bits), WHITE) if highest else WHITE


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image file in pixels, without decoding it.

    Raises:
        DataError: the file is not an image.
    """
    with opened(path) as image:
        return image.size


def _from_file(source: Path | bytes, white: int, max_pixels: int | None) -> Image.Image:
    with opened(source) as image:
        if max_pixels is not None:
            require_pixels(form_of(image), max_pixels)
        if image.mode.startswith("I;16"):
            wide = np.asarray(image).astype(np.uint32) * 256 // (white + 1)
            return Image.fromarray(wide.clip(0, 255).astype(np.uint8)).convert("RGB")
        return image.convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    pixels = array
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype != np.uint8 or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    ):
        raise DataError(
            f"not an image: an array of shape {array.shape} and type {array.dtype}",
            mend="pass (H, W) or (H, W, 3), uint8 in 0..255 or float in 0..1",
        )
    return Image.fromarray(pixels).convert("RGB")
