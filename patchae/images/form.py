"""What an image file holds beside its pixels, by its header: mode, size, frames, orientation.

The rule that training and scoring share: a file shows one image, in pixels that a model can see,
and the way up in which it is stored.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from patchae.errors import DataError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 100_000_000
"""Larger images are not decoded: a file of a few kilobytes can claim to be one."""
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I;16L", "I;16B")
"""Pillow's names of the pixels that a model can see. Floats and 32 bits are not among them: turned
into 8 bits they are clipped, and a whole image of them may become black."""
_ORIENTATION = 0x0112  # EXIF
_TURNED = range(2, 9)
"""Orientations that ask for a turn or a mirror; 1 does not, 0 and others mean nothing."""
_BITS_PER_SAMPLE = 258  # TIFF
_WIDE = re.compile(";16[BLN]")
"""In the raw mode, what a decoder reads: 16 bits for each channel, in one order or the other."""


@cache
def lift_pillow_limit() -> None:
    """Let Pillow open images of any size; it has one limit for all, and warns below it.

    Whoever opens an image checks a limit of `lines.yaml`, or of a service, before it is decoded.
    Nor does Pillow warn of odd EXIF and the like: what cannot be read is an error.
    """
    import warnings

    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class Form(NamedTuple):
    """What the header of an image file says."""

    kind: str  # Pillow's name: PNG, JPEG, TIFF ...
    mode: str  # Pillow's name: L, RGB, I;16 ...; RGB;16 where Pillow drops half of the bits
    width: int  # px
    height: int  # px
    several: bool  # pages of a TIFF, frames of an animation
    upright: bool  # False: EXIF says that viewers shall turn it; patchae does not


def form_of(image: ImageFile) -> Form:
    """Return what the header of an open image says, without decoding its pixels."""
    kind = image.format or ""
    # The second picture of an MPO is another one for a 3D display, or a map of its lights.
    # As the header of the first one says: `n_frames` would look up every one of a TIFF, in a time
    # that grows with the square of their number.
    several = kind != "MPO" and bool(getattr(image, "is_animated", False))
    return Form(kind, mode_of(image), *image.size, several=several, upright=is_upright(image))


def is_upright(image: ImageFile) -> bool:
    """Return whether an image is shown as it is stored."""
    if image.format == "TIFF":
        return True  # Pillow turns it by itself
    if image.format == "PNG" and "exif" not in image.info:
        return True  # `getexif` would decode all pixels, to look for it behind them
    return image.getexif().get(_ORIENTATION) not in _TURNED


def mode_of(image: ImageFile) -> str:
    """Return Pillow's name of the mode of an image that is not loaded yet.

    With `;16` behind it where each of several channels has 16 bits: Pillow keeps the upper 8 then.
    Of one channel it keeps all 16, and calls that `I;16` by itself.
    """
    if image.mode.startswith("I"):
        return image.mode
    # The raw mode tells, but for a TIFF whose channels lie apart. A BMP's BGR;16 means all three.
    wide = any(_WIDE.search(repr(tile[3])) for tile in image.tile)
    wide = wide or 16 in getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    return f"{image.mode};16" if wide else image.mode


def require_usable(form: Form) -> None:
    """Let only images pass that some model could learn from, or be asked about.

    Raises:
        DataError: they are several in one file, or of a mode that no model can see.
    """
    require_mode(form.mode)
    if form.several:
        raise DataError(
            "a file of several images: pages or frames",
            mend="save the one that shows the part as a file of its own",
        )


def require_mode(mode: str, where: str | None = None) -> None:
    """Let only pixels pass that a model can see, by Pillow's name of their mode.

    Raises:
        DataError: they are of another mode.
    """
    if mode not in MODES:
        raise DataError(
            f"an image of mode {mode}, which is neither 8-bit grey or colour nor 16-bit grey",
            where=where,
            mend="use 8-bit grey or colour, or 16-bit grey",
        )
