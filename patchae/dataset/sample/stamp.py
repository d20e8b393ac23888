"""Letters pressed into a part: strokes, measured once and then read at any turn and position."""

from __future__ import annotations

import functools

import numpy as np

from patchae.dataset.sample.fixedpoint import PX, SIDE, Field, clamp, grid, near_path

Stroke = tuple[tuple[int, int], ...]
"""Points of a line in px from the middle of the part."""

_GLYPHS: dict[str, tuple[Stroke, ...]] = {  # on a field 4 wide and 6 high, y downwards
    "A": (((0, 6), (2, 0), (4, 6)), ((1, 4), (3, 4))),
    "P": (((0, 6), (0, 0), (3, 0), (4, 1), (4, 2), (3, 3), (0, 3)),),
    "0": (((1, 0), (3, 0), (4, 1), (4, 5), (3, 6), (1, 6), (0, 5), (0, 1), (1, 0)),),
    "2": (((0, 1), (1, 0), (3, 0), (4, 1), (4, 2), (0, 6), (4, 6)),),
}


@functools.cache
def _distances(text: str, x: int, y: int, height: int) -> Field:
    # (SIDE, SIDE): distance of every pixel's centre from the nearest stroke
    far = np.full((SIDE, SIDE), SIDE * PX, dtype=np.int64)
    unit = height * PX // 6
    left = x * PX - (len(text) * 6 - 2) * unit // 2
    top = y * PX - 3 * unit
    for place, letter in enumerate(text):
        for stroke in _GLYPHS[letter]:
            points = [(left + (place * 6 + px) * unit, top + py * unit) for px, py in stroke]
            far = np.minimum(far, near_path(*grid(), points))
    return far


def stroke_distance(text: str, at: tuple[int, int], height: int, u: Field, v: Field) -> Field:
    """Distance in 1/PX of points (u, v) of a part from the strokes of a text.

    The text is centred on `at` and `height` high, in px.
    """
    table = _distances(text, *at, height)
    offset = SIDE * PX // 2 - PX // 2
    column, across = np.divmod(clamp(u + offset, 0, (SIDE - 1) * PX - 1), PX)
    row, down = np.divmod(clamp(v + offset, 0, (SIDE - 1) * PX - 1), PX)
    above = table[row, column] * (PX - across) + table[row, column + 1] * across
    below = table[row + 1, column] * (PX - across) + table[row + 1, column + 1] * across
    return np.asarray((above * (PX - down) + below * down) // (PX * PX))
