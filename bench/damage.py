"""Damage to judge ideas by: defects that the training never draws, put on the product itself.

`patchae.model.defects` draws what a model learns from. Choosing between models by the same recipe
would reward whatever learned that recipe by heart. These eight kinds come from other code, lie
where the product is, and most are subtle: cracks, scratches, specks, stains, worn texture, bends,
pieces from elsewhere on the part and from another product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from scipy import ndimage

LOOKS = ("crack", "scratch", "speck", "stain")
"""Kinds that change how a place looks: its brightness or colour."""
SHAPES = ("worn", "bend", "moved", "foreign")
"""Kinds that change what is there: its structure."""
KINDS = LOOKS + SHAPES
_VISIBLE_PX = 6

Place = tuple[float, float]


def damaged(
    image: np.ndarray, kind: str, random: Generator, foreign: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """A copy with one defect and where it is; None where the dice made nothing that can be seen.

    Args:
        image: (S, S, 3) float32 in 0..1.
        kind: one of `KINDS`.
        random: decides everything.
        foreign: images of other products, of the same size.

    Returns:
        The copy (S, S, 3) float32, and the mask (S, S) bool.
    """
    y, x = _somewhere(random, _product(image))
    if kind in ("moved", "foreign"):
        source = image if kind == "moved" else None
        changed, mask = _pasted(image, source, (y, x), random, foreign)
    else:
        changed, mask = _DRAWN[kind](image, y, x, random)
    if np.ptp(image, axis=2).max() < 0.02:  # a grey camera sees no colour
        changed = np.repeat(changed.mean(2, keepdims=True), 3, axis=2)
    copy = np.clip(changed, 0, 1).astype(np.float32)
    moved = ndimage.maximum_filter(np.abs(copy - image).mean(2), 3) > 0.01
    visible = (mask > 0.3) & moved
    return (copy, visible) if visible.sum() >= _VISIBLE_PX else None


def _product(image: np.ndarray) -> np.ndarray:
    """How likely a place is to be product (S, S): structure, or unlike the border of the image."""
    grey, size = image.mean(2), len(image)
    window = max(2, size // 32)
    mean = ndimage.uniform_filter(grey, window)
    deviation = np.sqrt(np.maximum(ndimage.uniform_filter(grey * grey, window) - mean * mean, 0))
    edge = np.concatenate([image[:4], image[-4:], *(image.swapaxes(0, 1)[s] for s in _ENDS)])
    border = edge.reshape(-1, 3)
    middle = np.median(border, axis=0)
    scatter = np.median(np.abs(border - middle), axis=0).mean() + 0.02
    unlike = np.clip(np.abs(image - middle).mean(2) / (3 * scatter) - 1, 0, 3)
    weight = ndimage.uniform_filter(
        deviation / (np.percentile(deviation, 95) + 1e-6) + unlike / 3, window
    )
    weight = np.clip(weight - 0.15 * weight.max(), 0, None)
    inside = np.zeros_like(weight)
    margin = max(6, size // 24)
    inside[margin:-margin, margin:-margin] = weight[margin:-margin, margin:-margin] + 1e-9
    return inside


_ENDS = (slice(None, 4), slice(-4, None))


def _somewhere(random: Generator, weight: np.ndarray) -> tuple[int, int]:
    places = np.flatnonzero(weight > 0.25 * np.percentile(weight, 99))
    y, x = divmod(int(random.choice(places)), weight.shape[1])
    return y, x


def _line(
    size: int, at: Place, length: float, width: float, random: Generator, *, wander: float
) -> np.ndarray:
    """Mask 0..1 of a line through a place whose direction walks at random."""
    steps = max(4, int(length))
    angle = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, wander, steps))
    rows, columns = np.cumsum(np.sin(angle)), np.cumsum(np.cos(angle))
    rows += at[0] - rows[steps // 2]
    columns += at[1] - columns[steps // 2]
    empty = np.ones((size, size), bool)
    limit = size - 1
    empty[np.clip(np.rint(rows), 0, limit).astype(int),
          np.clip(np.rint(columns), 0, limit).astype(int)] = False  # fmt: skip
    return np.clip(width / 2 + 0.5 - ndimage.distance_transform_edt(empty), 0, 1)


def _spot(size: int, y: float, x: float, radius: float, random: Generator) -> np.ndarray:
    """Mask 0..1 of a ragged ellipse."""
    noise = ndimage.gaussian_filter(random.normal(0, 1, (size, size)), max(1, radius / 2.5))
    noise /= noise.std() + 1e-9
    rows, columns = np.mgrid[:size, :size]
    flat, turn = random.uniform(0.5, 1), random.uniform(0, np.pi)
    along = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
    across = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
    distance = np.hypot(along, across / flat) / radius
    mask: np.ndarray = np.clip((1 - distance + 0.24 * noise) * radius / 1.5, 0, 1)
    return mask


Drawn = tuple[np.ndarray, np.ndarray]


def _lit(image: np.ndarray, mask: np.ndarray, y: int, x: int, change: float) -> Drawn:
    here = ndimage.gaussian_filter(image.mean(2), len(image) / 40)[y, x]
    towards = 1 if here < 0.2 else -1 if here > 0.8 else np.sign(change)
    return image + mask[..., None] * towards * abs(change), mask


def _crack(image: np.ndarray, y: int, x: int, random: Generator) -> Drawn:
    size = len(image)
    length, width = size * random.uniform(0.06, 0.25), random.uniform(1, 2.2)
    mask = _line(size, (y, x), length, width, random, wander=0.35)
    return _lit(image, mask, y, x, -random.uniform(0.15, 0.5))


def _scratch(image: np.ndarray, y: int, x: int, random: Generator) -> Drawn:
    size = len(image)
    mask = np.zeros((size, size))
    for _ in range(random.integers(1, 4)):
        down, right = random.normal(0, size * 0.012, 2)
        length, width = size * random.uniform(0.04, 0.15), random.uniform(1, 1.8)
        at = (y + down, x + right)
        mask = np.maximum(mask, _line(size, at, length, width, random, wander=0.06))
    return _lit(image, mask, y, x, random.choice([-1, 1]) * random.uniform(0.1, 0.35))


def _speck(image: np.ndarray, y: int, x: int, random: Generator) -> Drawn:
    size = len(image)
    coloured = random.random() < 0.5
    colour = random.uniform(0, 1, 3) if coloured else np.full(3, random.uniform(0, 1))
    mask = np.zeros((size, size))
    for _ in range(random.integers(1, 5)):
        down, right = random.normal(0, size * 0.03, 2)
        radius = size * random.uniform(0.006, 0.018)
        mask = np.maximum(mask, _spot(size, y + down, x + right, radius, random))
    cover = random.uniform(0.35, 0.9) * mask[..., None]
    return image * (1 - cover) + colour * cover, mask


def _stain(image: np.ndarray, y: int, x: int, random: Generator) -> Drawn:
    mask = _spot(len(image), y, x, len(image) * random.uniform(0.03, 0.09), random)
    tint = random.normal(0, 0.1, 3) + random.choice([-1, 1]) * random.uniform(0.03, 0.12)
    return image + mask[..., None] * tint, mask


def _worn(image: np.ndarray, y: int, x: int, random: Generator) -> Drawn:
    size = len(image)
    mask = _spot(size, y, x, size * random.uniform(0.02, 0.06), random)
    spread = size * random.uniform(0.012, 0.03)
    smooth = ndimage.gaussian_filter(image, (spread, spread, 0))
    noise = image - ndimage.gaussian_filter(image, (1, 1, 0))  # the sensor's stays
    smooth += 0.5 * np.roll(noise, (size // 3, size // 5), axis=(0, 1))
    return image + mask[..., None] * (smooth - image), mask


def _bend(image: np.ndarray, y: int, x: int, random: Generator) -> Drawn:
    size = len(image)
    rows, columns = np.mgrid[:size, :size]
    radius = size * random.uniform(0.05, 0.11)
    near = np.exp(-2 * ((rows - y) ** 2 + (columns - x) ** 2) / radius**2)
    if random.random() < 0.5:  # pushed
        angle, reach = random.uniform(0, 2 * np.pi), size * random.uniform(0.015, 0.035)
        down, right = np.sin(angle) * reach * near, np.cos(angle) * reach * near
    else:  # twisted
        turn = random.choice([-1, 1]) * random.uniform(0.4, 0.9) * near
        down = (rows - y) * (np.cos(turn) - 1) + (columns - x) * np.sin(turn)
        right = (columns - x) * (np.cos(turn) - 1) - (rows - y) * np.sin(turn)
    mask = (np.hypot(down, right) > size * 0.006).astype(float)
    return _read(image, rows + down, columns + right), mask


def _pasted(
    image: np.ndarray,
    source: np.ndarray | None,
    at: tuple[int, int],
    random: Generator,
    foreign: Sequence[np.ndarray],
) -> Drawn:
    (y, x), size = at, len(image)
    if source is None:
        source = foreign[random.integers(len(foreign))]
        there = tuple(random.integers(size // 8, size - size // 8, 2))
    else:
        there = _somewhere(random, _product(source))
    turn = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:size, :size]
    piece = _read(
        source,
        there[0] + (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn),
        there[1] + (rows - y) * np.sin(turn) + (columns - x) * np.cos(turn),
    )
    mask = _spot(size, y, x, size * random.uniform(0.015, 0.05), random)
    return image + mask[..., None] * (piece - image), mask


def _read(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    channels = [
        ndimage.map_coordinates(image[..., c], [rows, columns], order=1, mode="reflect")
        for c in range(3)
    ]
    return np.stack(channels, axis=2)


_DRAWN: dict[str, Callable[[np.ndarray, int, int, Generator], Drawn]] = {
    "crack": _crack,
    "scratch": _scratch,
    "speck": _speck,
    "stain": _stain,
    "worn": _worn,
    "bend": _bend,
}
