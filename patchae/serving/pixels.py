"""From what an asker sent to what a model sees, without trusting a byte of it.

The header is read before anything is decoded: what it claims must be one of five formats, in one
frame, and within the limit of pixels. A file is decoded once, to the very pixels that
`patchae.model.images.load` gives for it, so that a score over HTTP is the score of `patchae score`.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

from patchae.errors import DataError
from patchae.images import mode_of, require_mode

if TYPE_CHECKING:
    import numpy as np
    from PIL.ImageFile import ImageFile
    from torch import Tensor

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""What is decoded; Pillow never tries another format on the bytes of an asker."""
MAX_PIXELS = 50_000_000
"""Of one image; a decoded one takes up to four bytes for each."""


def decoded(content: bytes, size: int, white: int, max_pixels: int = MAX_PIXELS) -> Tensor:
    """The image in a file's bytes, as uint8 (3, size, size).

    Args:
        content: the file.
        size: side in pixels.
        white: value that counts as 255 in a 16-bit file.
        max_pixels: width times height above which it is not decoded.

    Raises:
        DataError: it is none that may be scored; the message says why.
    """
    from patchae.model.images import load

    return load(_array(content, white, max_pixels), size)


def _array(content: bytes, white: int, max_pixels: int) -> np.ndarray:
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise DataError("an empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs: the limit is ours, and below
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                _require_fit(image, max_pixels)
                if image.mode.startswith("I;16"):
                    # As `patchae.model.images` reads it; a test holds the two together.
                    wide = np.asarray(image).astype(np.uint32) * 256 // (white + 1)
                    return wide.clip(0, 255).astype(np.uint8)
                return np.asarray(image.convert("RGB"))
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(
            "not an image", mend=f"send a file in one of the formats {', '.join(FORMATS)}"
        ) from None
    except Exception as error:  # noqa: BLE001 - decoders raise whatever a broken file leads to
        raise DataError(
            f"an image that cannot be decoded: {error or type(error).__name__}",
            mend="look whether the file is whole",
        ) from None


def _require_fit(image: ImageFile, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(
            f"an image of {width} x {height} pixels, more than {max_pixels:,} in all",
            mend="send a smaller one, or raise --max-pixels",
        )
    require_mode(mode_of(image))
    # As the header of the first one says: `n_frames` would look up every one of a TIFF, in a time
    # that grows with the square of their number.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise DataError("a file of several images", mend="send one image per file")
