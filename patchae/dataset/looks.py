"""How an image looks, in a few numbers: light, colour, sharpness, dead pixels, a perceptual hash.

They say whether a camera did its work and whether two files show the same photo; the model never
sees them. Levels are of the full range of the file's type, 0..1: a 12-bit camera in a 16-bit file
fills a sixteenth of it, which `highest` tells.

Reading an image costs far more than this: a histogram, one image of half the size, and two products
of small matrices.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

HASH_BITS = 256
_SIDE = 32
"""Side of the thumbnail that the hash stands for."""
_SIZES = 64
"""A class has one size of image, or a few."""
_ALONE = 0.5
"""Of the full range: how far a pixel must stand out from all four neighbours to count as dead."""
_SOME = 32
"""So many pixels of each side say what the colour is."""
_LEVELS = np.arange(65_536)
_FULL = frozenset(2**bits - 1 for bits in (8, 10, 12, 14, 16)) | frozenset(
    (2**bits - 1) << (16 - bits) for bits in (10, 12, 14)
)
"""The largest values of cameras; some put their bits at the upper end of 16."""
_frequencies = np.arange(int(HASH_BITS**0.5))[:, None]
_COSINES = np.cos(np.pi / (2 * _SIDE) * _frequencies * (2 * np.arange(_SIDE) + 1))
"""The lowest rows of the discrete cosine transform of a thumbnail, (16, 32)."""


class Looks(NamedTuple):
    """Measured on the luminance of an image, unless said otherwise."""

    brightness: float  # mean, 0..1
    contrast: float  # standard deviation, 0..0.5
    highest: float  # brightest pixel, 0..1
    black: float  # share of pixels at 0
    white: float  # share of pixels at the largest value of a camera of 8, 10, 12, 14 or 16 bits
    sharpness: float  # at half size, see `_sharpness`: 0 for a slope, 3 for noise
    red: float  # mean of red minus that of green, -1..1; 0 in grey images
    blue: float  # mean of blue minus that of green, -1..1; 0 in grey images
    dead: int  # pixels that stand out alone by half of the range
    perceptual_hash: str  # 64 hexadecimal digits: signs of the low frequencies of a thumbnail


NO_LOOKS = (None,) * len(Looks._fields)
"""In a row, where those of an image are unknown."""


def look(image: Image.Image) -> Looks:
    """Measure a decoded image of any mode."""
    red, blue = 0.0, 0.0
    if image.mode.startswith("I;16"):
        # A TIFF may have its bytes in the other order, and `_half` reads two pixels as one number.
        grey: NDArray[Any] = np.asarray(image).astype(np.uint16, copy=False)
        counts, full = np.bincount(grey.ravel(), minlength=2), 65_535
    else:
        if len(image.getbands()) > 2 or image.mode == "P":
            image = image if image.mode == "RGB" else image.convert("RGB")
            some = np.asarray(image.resize((_SOME, _SOME), Image.Resampling.NEAREST))
            means = some.reshape(-1, 3).mean(axis=0) / 255
            red, _, blue = means - means[1]
        single = image if image.mode == "L" else image.convert("L")
        grey, counts, full = np.asarray(single), np.array(single.histogram()), 255
    level = _LEVELS[: len(counts)]
    total, squares = int(counts @ level), int(counts @ (level * level))
    highest = int(counts.nonzero()[0][-1])
    saturated = highest in _FULL
    half = _half(grey)
    return Looks(
        brightness=total / (grey.size * full),
        contrast=(grey.size * squares - total**2) ** 0.5 / (grey.size * full),
        highest=highest / full,
        black=float(counts[0] / grey.size),
        white=float(counts[highest] / grey.size) if saturated else 0.0,
        sharpness=_sharpness(half),
        red=float(red),
        blue=float(blue),
        dead=_dead(grey, int(_ALONE * full)),
        perceptual_hash=_hash(half),
    )


def _half(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Sums of 2 x 2 pixels, (H / 2, W / 2); what is left over at an edge is not counted.

    As whole numbers below 2^24 they are exact. An image of one row or column stays what it is.
    """
    height, width = grey.shape
    if height < 2 or width < 2:
        return grey.astype(np.float32)
    bits = 8 * grey.itemsize
    even = np.ascontiguousarray(grey[: height // 2 * 2, : width // 2 * 2])
    # Neighbours in a row, read as one number of twice the width: far quicker than every other one.
    pairs = even.view(f"=u{2 * grey.itemsize}")
    rows = (pairs & (2**bits - 1)) + (pairs >> bits)
    half: NDArray[Any] = rows[::2] + rows[1::2]
    return half.astype(np.float32)


def _sharpness(half: NDArray[np.float32]) -> float:
    """Energy of second differences over that of first ones: light and contrast cancel out.

    A lens out of focus halves it long before a person would complain.
    """
    width = half.shape[1]
    flat = half.ravel()
    down = flat[width:] - flat[:-width]
    right = flat[1:] - flat[:-1]
    right[width - 1 :: width] = 0  # from the end of a row to the start of the next
    slope = _energy(down) + _energy(right)
    bend_down, bend_right = down[width:] - down[:-width], right[1:] - right[:-1]
    bend_right[width - 2 :: width] = bend_right[width - 1 :: width] = 0
    return (_energy(bend_down) + _energy(bend_right)) / slope if slope else 0.0


def _energy(steps: NDArray[np.float32]) -> float:
    return float(np.dot(steps, steps))


def _dead(grey: NDArray[Any], alone: int) -> int:
    """Inner pixels that are brighter, or darker, than all four neighbours by more than `alone`."""
    above, here = grey[:-2], grey[1:-1]  # whole rows, which numpy takes as one piece
    steps = np.maximum(above, here)
    steps -= np.minimum(above, here)
    if steps.max(initial=0) <= alone:  # as in most images
        return 0
    rows, columns = (steps[:, 1:-1] > alone).nonzero()
    rows, columns = rows + 1, columns + 1
    around = [
        grey[rows + down, columns + right].astype(np.int32)
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))
    ]
    value = grey[rows, columns].astype(np.int32)
    hot = value - np.max(around, axis=0) > alone
    cold = np.min(around, axis=0) - value > alone
    return int(np.count_nonzero(hot | cold))


def _hash(half: NDArray[np.float32]) -> str:
    """As known from pHash (Zauner 2010), with 256 bits: 64 do not tell parts of a class apart."""
    height, width = half.shape
    low = (_lowest(height) @ half @ _lowest(width).T).ravel()
    low[0] = 0  # how bright the image is says nothing of what it shows
    return np.packbits(low > 0).tobytes().hex()


@lru_cache(_SIZES)
def _lowest(length: int) -> NDArray[np.float32]:
    """Makes the lowest frequencies of a thumbnail from so many pixels in a row, (16, length).

    Both steps in one: a bilinear filter that is as wide as the thumbnail's pixels, and the cosines.
    """
    step = length / _SIDE
    apart = np.arange(length) + 0.5 - step * (np.arange(_SIDE)[:, None] + 0.5)  # px
    filters = (1 - np.abs(apart) / max(step, 1.0)).clip(0)
    filters /= filters.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(_COSINES @ filters, np.float32)
