"""Which pixels a mask marks: one reader for validation, evaluation and import.

Any value above 0 in any channel marks a pixel, so that class ids count, however small they are. Of
a palette the ground is black, whatever its index; without black it is index 0. Transparency counts
where it varies: an opaque channel marks nothing.

Masks that were saved as JPEG or drawn with soft edges have values between ground and mark that no
person painted. They are cut at half of the highest value.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.images.form import mode_of
from patchae.images.learned import opened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_SOFT = 32
"""Values of a soft edge lie between ground and a mark that is at least so bright; lower ones are
class ids."""
_BLOCK = 8
"""Side of the blocks in which JPEG leaves its noise, in pixels."""
_FEW = 3
"""So few dark values may be thin marks with an id of their own."""


def load_mask(path: Path, size: int) -> NDArray[np.bool_]:
    """Read a mask file as bool (size, size).

    Raises:
        DataError: the file is not an image that can be decoded, or has 16 bits in each of several
            channels.
    """
    import numpy as np
    from PIL import Image

    with opened(path) as image:
        pixels = marked(image)
    mask = Image.fromarray(pixels.astype(np.uint8) * 255)
    return np.asarray(mask.resize((size, size), Image.Resampling.NEAREST)) > 0


def marked(mask: Image) -> NDArray[np.bool_]:
    """Return the marked pixels of a mask of any mode, bool (H, W).

    Raises:
        ValueError: it has 16 bits in each of several channels, of which Pillow reads the upper 8:
            a small class id would be lost.
    """
    return read_marks(mask)[0]


def read_marks(mask: Image) -> tuple[NDArray[np.bool_], float]:
    """Return the marked pixels of a mask, bool (H, W), and the share that is cut off.

    That share, 0 to 1, are pixels above the ground that count as noise or as soft edges.

    Raises:
        ValueError: as `marked`.
    """
    from PIL.ImageFile import ImageFile

    if isinstance(mask, ImageFile) and mode_of(mask).endswith(";16") and mask.mode[0] != "I":
        raise ValueError("a mask of 16 bits in each of several channels; save it with 8 bits")
    levels = _levels(mask)
    above: NDArray[np.bool_] = levels > 0
    highest = int(levels.max(initial=0))
    # 0 becomes the highest number: levels have no sign
    dark: NDArray[np.bool_] = (levels - 1) < highest // 2
    if highest < _SOFT or not dark.any() or _painted(levels, dark):
        return above, 0.0
    return above & ~dark, float(dark.mean())


def _levels(mask: Image) -> NDArray[Any]:
    """Return one unsigned value for each pixel, (H, W), 0 for the ground."""
    import numpy as np
    from PIL import ImageChops

    if mask.mode == "P":
        return _palette_levels(mask)
    if mask.mode == "1":
        return np.asarray(mask).astype(np.uint8)
    if len(mask.getbands()) == 1:
        values = np.asarray(mask)
        if values.dtype.kind == "f":
            values = np.nan_to_num(values)
            values = values * 255 if values.max(initial=0) <= 1 else values
            values = np.ceil(values)  # what is above 0 stays so
        positive: NDArray[Any] = np.maximum(values, 0)
        return positive.astype(f"u{values.dtype.itemsize}", copy=False)
    red, green, blue, alpha = mask.convert("RGBA").split()
    colour: NDArray[Any] = np.asarray(ImageChops.lighter(ImageChops.lighter(red, green), blue))
    least, most = alpha.getextrema()
    if least == most:
        return colour
    clear: NDArray[Any] = np.asarray(alpha)
    visible = np.where(clear > 0, colour, 0)
    return visible if visible.any() else clear  # black paint on a transparent ground


def _palette_levels(mask: Image) -> NDArray[Any]:
    import numpy as np

    indices = np.asarray(mask)  # (H, W)
    palette = np.zeros((256, 3), np.uint8)
    flat = np.asarray(mask.getpalette() or [], np.uint8)[: 256 * 3]
    palette[: len(flat) // 3] = flat.reshape(-1, 3)
    levels: NDArray[np.uint8] = palette.max(axis=1)  # of each index
    used = np.bincount(indices.ravel(), minlength=256) > 0
    black = levels == 0
    clear = _transparent(mask) & used
    if clear.any() and not clear[used].all():
        ground = clear
    elif black[0] or not (black & used).any():
        ground = np.zeros(256, bool)
        # A single colour that is not black covers the whole image: that is no empty mask.
        ground[0] = bool(black[0]) or int(used.sum()) > 1
    else:
        ground = black
    marks = np.where(ground, 0, np.maximum(levels, 1)).astype(np.uint8)
    return np.asarray(marks[indices])


def _transparent(mask: Image) -> NDArray[np.bool_]:
    """Return which indices of a palette are wholly transparent, (256,)."""
    import numpy as np

    clear = np.zeros(256, bool)
    given = mask.info.get("transparency")
    if isinstance(given, int):
        clear[given] = True
    elif isinstance(given, bytes):
        clear[: len(given)] = np.frombuffer(given, np.uint8)[:256] == 0
    return clear


def _painted(levels: NDArray[Any], dark: NDArray[np.bool_]) -> bool:
    """Return whether somebody painted with the values up to half of the highest one.

    Paint has areas: nine equal pixels in a square. Noise and soft edges have none. A thin line of
    paint has none either; but it has one value, or few, and need not lie at a brighter mark.
    """
    import numpy as np

    height, width = levels.shape
    y, x = dark.nonzero()
    part = levels[max(y.min() - 1, 0) : y.max() + 2, max(x.min() - 1, 0) : x.max() + 2]
    if min(part.shape) >= 3:
        core = part[1:-1, 1:-1]
        flat = (core - 1) < int(levels.max()) // 2
        for down in range(3):
            for right in range(3):
                flat &= part[down : down + core.shape[0], right : right + core.shape[1]] == core
        if np.any(flat):
            return True
    if len(np.unique(levels[dark])) > _FEW:
        return False
    blocks = np.zeros((-(-height // _BLOCK) + 2, -(-width // _BLOCK) + 2), bool)
    bright_y, bright_x = np.nonzero((levels > 0) & ~dark)
    blocks[bright_y // _BLOCK + 1, bright_x // _BLOCK + 1] = True
    near = blocks.copy()  # and the blocks around them
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            near |= np.roll(blocks, (down, right), (0, 1))
    return bool(not near[y // _BLOCK + 1, x // _BLOCK + 1].all())
