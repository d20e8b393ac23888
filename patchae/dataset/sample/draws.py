"""Chance that is the same everywhere: numbers by name, and noise from a counter.

Every number depends only on the name of its picture and on its own name, so that adding one to a
product changes no other. sha256 gives single numbers; splitmix64 (Steele, Lea, Flood: Fast
Splittable Pseudorandom Number Generators, OOPSLA 2014) fills whole fields.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from patchae.dataset.sample.fixedpoint import ONE, PX, SIDE, Field, clamp

_LATTICE = 128  # cells before value noise repeats; a power of two, as every number of rows is


@dataclass(frozen=True)
class Draws:
    """The chance of one picture, or of one part of it."""

    name: str

    def child(self, part: object) -> Draws:
        """The chance of a part, independent of its parent's and its siblings'."""
        return Draws(f"{self.name}/{part}")

    def between(self, what: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self._seed(what) % (high - low + 1)

    def gauss(self, what: str) -> Field:
        """White noise of mean 0 and standard deviation ONE, one number per pixel.

        The sum of eight random bytes, which is close to normal and never beyond 4.9 deviations.
        """
        bits = self._bits(what, SIDE * SIDE)
        low = np.uint64(0x00FF00FF00FF00FF)
        pairs = (bits & low) + (bits >> np.uint64(8) & low)
        pairs = pairs + (pairs >> np.uint64(32))
        total = (pairs + (pairs >> np.uint64(16))) & np.uint64(0xFFFF)
        white: Field = (total.astype(np.int64) - 1020) * 627 >> 5
        return white.reshape(SIDE, SIDE)

    def noise(self, what: str, x: Field, y: Field, cell: int) -> Field:
        """Value noise in -ONE..ONE at points (x, y), with features about `cell` long."""
        per_point = ONE * PX // cell
        return self._lattice(what, x * per_point >> 8, y * per_point >> 8, _LATTICE)

    def rings(self, what: str, radius: Field, angle: Field, cell: int, arcs: int) -> Field:
        """Value noise that is `cell` wide along the radius and has `arcs` features per turn."""
        return self._lattice(what, radius * (ONE * PX // cell) >> 8, angle * arcs, arcs)

    def cloud(self, what: str, x: Field, y: Field, cell: int, octaves: int) -> Field:
        """Fractal noise in -ONE..ONE: each octave half as large and half as strong."""
        total = np.zeros_like(x)
        for octave in range(octaves):
            total += self.noise(f"{what} {octave}", x, y, cell >> octave) >> (octave + 1)
        return clamp(total * 3 >> 1, -ONE, ONE)

    def _lattice(self, what: str, x: Field, y: Field, rows: int) -> Field:
        # x and y in 1/ONE of a cell; the lattice repeats after _LATTICE columns and `rows` rows.
        # int32 where it holds the products, for half the time
        bits = self._bits(what, _LATTICE * rows) >> np.uint64(51)
        corners = bits.astype(np.int32).reshape(rows, _LATTICE) - np.int32(ONE)
        lattice = np.pad(corners, ((0, 1), (0, 1)), mode="wrap").ravel()
        width = _LATTICE + 1
        here = (y >> 12 & (rows - 1)) * width + (x >> 12 & (_LATTICE - 1))
        across, down = _step(x), _step(y)
        above, below = lattice[here], lattice[here + width]
        above += (lattice[here + 1] - above) * across >> 12
        below += (lattice[here + (width + 1)] - below) * across >> 12
        values = above + ((below - above) * down >> 12)
        return np.asarray(values, dtype=np.int64)

    def _seed(self, what: str) -> int:
        digest = hashlib.sha256(f"{self.name}: {what}".encode()).digest()
        return int.from_bytes(digest[:8], "big")

    def _bits(self, what: str, count: int) -> npt.NDArray[np.uint64]:
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = z + np.uint64(self._seed(what))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _step(position: Field) -> npt.NDArray[np.int32]:
    # 3 t^2 - 2 t^3 of the place t within a cell
    t = position.astype(np.int32) & np.int32(ONE - 1)
    return (t * t >> 12) * (np.int32(3 * ONE) - 2 * t) >> 12
