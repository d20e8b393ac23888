"""Geometry on whole numbers, so that every machine computes the same pixels.

No float decides anything here: lengths are in 1/256 px (`PX`), fractions and unit vectors in
1/4096 (`ONE`), angles in 1/4096 of a turn (`TURN`), grey levels in 1/256 (`LEVEL`). Fields are
int64 arrays of the size of the picture; quotients round down.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.int64]
"""One number per pixel, (SIDE, SIDE), or one per pixel and channel, (SIDE, SIDE, 3)."""

Number = Field | int

SIDE = 160  # px
PX = 1 << 8
ONE = 1 << 12
TURN = 1 << 12
LEVEL = 1 << 8

_PI = 3141592653589793238462643383279  # times 10^30
_SCALE = 10**30


def grid() -> tuple[Field, Field]:
    """x to the right and y downwards of the centres of all pixels; the middle is (0, 0)."""
    ticks = (np.arange(SIDE, dtype=np.int64) * 2 + 1 - SIDE) * (PX // 2)
    x, y = np.broadcast_arrays(ticks[None, :], ticks[:, None])
    return x.copy(), y.copy()


@functools.cache
def _sines() -> Field:
    """sin(2 pi k / TURN) for every k, from the exact Taylor series on Python's long integers."""
    quarter = []
    for step in range(TURN // 4 + 1):
        angle = 2 * _PI * step // TURN
        term, total, n = angle, angle, 1
        while term:
            term = term * angle * angle // (_SCALE * _SCALE * (n + 1) * (n + 2))
            n += 2
            total += term if n % 4 == 1 else -term
        quarter.append((total * ONE * 2 + _SCALE) // (2 * _SCALE))
    half = quarter[:-1] + quarter[:0:-1]
    return np.array(half + [-value for value in half], dtype=np.int64)


def sine(angle: Field) -> Field:
    """Sine in 1/ONE of angles in 1/TURN."""
    values: Field = _sines()[angle & (TURN - 1)]
    return values


def direction(angle: int) -> tuple[int, int]:
    """The unit vector that points at an angle, in 1/ONE."""
    table = _sines()
    return int(table[(angle + TURN // 4) % TURN]), int(table[angle % TURN])


def root(square: Field) -> Field:
    """The exact integer square root of numbers below 2^52.

    The float root is only a first guess that is off by at most one, which is then mended.
    """
    guess = np.sqrt(square.astype(np.float64)).astype(np.int64)
    guess -= guess * guess > square
    guess += (guess + 1) * (guess + 1) <= square
    return guess


def length(x: Field, y: Field) -> Field:
    """Distance of points from the origin."""
    return root(x * x + y * y)


def bearing(x: Field, y: Field) -> Field:
    """Angle of points around the origin, 0 to TURN - 1, to about 1/1500 of a turn."""
    wide, high = np.abs(x), np.abs(y)
    ratio = np.minimum(wide, high) * ONE // np.maximum(np.maximum(wide, high), 1)
    # atan t is about t (pi/4 + 0.273 (1 - t)); in turns 1/8 + 0.04345 (1 - t)
    angle = ratio * (TURN // 8 + (178 * (ONE - ratio) >> 12)) >> 12
    angle = np.where(high > wide, TURN // 4 - angle, angle)
    angle = np.where(x < 0, TURN // 2 - angle, angle)
    return np.asarray(np.where(y < 0, -angle, angle) & (TURN - 1))


def turned(x: Field, y: Field, angle: int) -> tuple[Field, Field]:
    """Coordinates of points in a frame that is turned by `angle`."""
    along, across = direction(angle)
    return x * along + y * across >> 12, y * along - x * across >> 12


def clamp(value: Field, low: int, high: int) -> Field:
    """The value, or the nearer end of the range that it lies outside of."""
    return np.minimum(np.maximum(value, low), high)


def smooth(fraction: Field) -> Field:
    """3 t^2 - 2 t^3 for t clamped to 0..ONE: a step without corners."""
    t = clamp(fraction, 0, ONE)
    return t * t * (3 * ONE - 2 * t) >> 24


def ramp(value: Field, start: int, end: int) -> Field:
    """From 0 at `start` to ONE at `end` in a smooth step; `start` may lie above `end`."""
    return smooth((value - start) * ONE // (end - start))


def inside(distance: Field, soft: int = PX) -> Field:
    """Share of each pixel on the negative side of an edge; `soft` is the width of the edge."""
    return clamp(ONE // 2 - distance * ONE // soft, 0, ONE)


def times(value: Field, factor: Number) -> Field:
    """The product with a factor in 1/ONE."""
    return value * factor >> 12


def power(base: Field, doublings: int) -> Field:
    """`base` in 0..ONE to the power 2^doublings."""
    for _ in range(doublings):
        base = base * base >> 12
    return base


def near_segment(x: Field, y: Field, start: tuple[int, int], end: tuple[int, int]) -> Field:
    """Squared distance of points from a straight line between two points."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = x - start[0], y - start[1]
    share = clamp((px * dx + py * dy) * ONE // max(dx * dx + dy * dy, 1), 0, ONE)
    px, py = px - (share * dx >> 12), py - (share * dy >> 12)
    return px * px + py * py


def near_path(x: Field, y: Field, points: list[tuple[int, int]]) -> Field:
    """Distance of points from a line through `points`."""
    squares = [near_segment(x, y, a, b) for a, b in itertools.pairwise(points)]
    return root(functools.reduce(np.minimum, squares))


def blur(field: Field, radius: int) -> Field:
    """Mean over a square of 2 radius + 1 px; beyond the edge the outermost pixels repeat."""
    size = 2 * radius + 1
    for axis in (0, 1):
        pad = [(radius + 1, radius) if a == axis else (0, 0) for a in range(field.ndim)]
        total = np.cumsum(np.pad(field, pad, mode="edge"), axis=axis)
        upper = np.take(total, range(size, total.shape[axis]), axis=axis)
        lower = np.take(total, range(total.shape[axis] - size), axis=axis)
        field = (upper - lower) // size
    return field
