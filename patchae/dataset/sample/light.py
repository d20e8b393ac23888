"""From surfaces to light: relief is lit by a lamp, the scene is seen by a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from patchae.dataset.sample.draws import Draws
from patchae.dataset.sample.fixedpoint import (
    LEVEL,
    ONE,
    PX,
    SIDE,
    Field,
    Number,
    blur,
    clamp,
    direction,
    grid,
    inside,
    root,
)


@dataclass(frozen=True)
class Lamp:
    """A distant lamp: the unit vector towards it, in 1/ONE; z points at the camera."""

    x: int
    y: int
    z: int

    @classmethod
    def at(cls, angle: int, elevation: int) -> Lamp:
        """A lamp seen in the picture at `angle`, raised by `elevation`, both in 1/TURN."""
        flat, z = direction(elevation)
        x, y = direction(angle)
        return cls(x * flat >> 12, y * flat >> 12, z)

    def glance(self) -> Lamp:
        """The normal of a surface that mirrors this lamp into the camera."""
        x, y, z = self.x, self.y, self.z + ONE
        size = int(root(np.array(x * x + y * y + z * z)))
        return Lamp(x * ONE // size, y * ONE // size, z * ONE // size)


@dataclass(frozen=True)
class Relief:
    """Unit normals of a surface, in 1/ONE."""

    x: Field
    y: Field
    z: Field

    @classmethod
    def of(cls, height: Field) -> Relief:
        """The normals of a height field in 1/PX, by central differences."""
        padded = np.pad(height, 1, mode="edge")
        x = (padded[1:-1, :-2] - padded[1:-1, 2:]) * (ONE // PX // 2)
        y = (padded[:-2, 1:-1] - padded[2:, 1:-1]) * (ONE // PX // 2)
        size = root(x * x + y * y + ONE * ONE)
        return cls(x * ONE // size, y * ONE // size, ONE * ONE // size)

    def facing(self, lamp: Lamp) -> Field:
        """Cosine to a lamp, 0 where the surface turns away."""
        cosine: Field = self.x * lamp.x + self.y * lamp.y + self.z * lamp.z >> 12
        return np.maximum(cosine, 0)


def paint(color: tuple[int, ...], strength: Number = ONE) -> Field:
    """A color in grey levels 0 to 255, made stronger or weaker by a field in 1/ONE."""
    shades = [
        np.broadcast_to(np.asarray(strength), (SIDE, SIDE)) * (c * LEVEL) >> 12 for c in color
    ]
    return np.stack(shades, axis=-1) if len(color) > 1 else shades[0]


def lay(under: Field, over: Field, share: Field) -> Field:
    """`over` laid on `under` where `share` is ONE; works for grey and for color."""
    weight = share if under.ndim == 2 else share[..., None]
    return under + ((over - under) * weight >> 12)


def dim(scene: Field, strength: Field) -> Field:
    """The scene with its brightness multiplied by a field in 1/ONE."""
    return scene * (strength if scene.ndim == 2 else strength[..., None]) >> 12


def shadow(edge: Field, right: int, down: int, depth: int) -> Field:
    """Light that is left, in 1/ONE, beside a part whose edge distance is given.

    The shadow falls `right` and `down` px away, for the lamps stand to the upper left.
    """
    cover = np.pad(inside(edge, 2 * PX), ((down, 0), (right, 0)), mode="edge")[:SIDE, :SIDE]
    return ONE - (blur(blur(cover, 3), 2) * depth >> 12)


@dataclass(frozen=True)
class Camera:
    """How much pictures of one station differ in light, focus and noise."""

    gain: int = 250
    """Exposure differs by up to this much, in 1/ONE."""
    slope: int = 350
    """Brightness rises by up to this much from the middle to the edge, in 1/ONE."""
    corners: int = 420
    """Brightness lost in the corners, in 1/ONE."""
    defocus: int = 2600
    """Share of the blurred picture, up to this much, in 1/ONE."""

    def expose(self, draws: Draws, scene: Field) -> Field:
        """The picture before sensor noise, in 1/LEVEL."""
        x, y = grid()
        tilt_x = draws.between("light to the right", -self.slope, self.slope)
        tilt_y = draws.between("light downwards", -self.slope, self.slope)
        edge = SIDE // 2 * PX
        falloff = self.corners * ((x * x + y * y) // PX) // (2 * edge * edge // PX)
        light = ONE + draws.between("gain", -self.gain, self.gain) - falloff
        lit = dim(scene, light + (tilt_x * x + tilt_y * y) // edge)
        soft = draws.between("focus", self.defocus // 2, self.defocus)
        return _shoulder(lit + ((blur(lit, 1) - lit) * soft >> 12))

    def develop(self, draws: Draws, exposed: Field) -> Field:
        """The picture with sensor noise, in whole levels 0 to 255.

        The noise is 1 level in the dark and about 1.7 levels in the middle greys.
        """
        channels = exposed.reshape(SIDE, SIDE, -1)
        noisy = []
        for channel in range(channels.shape[-1]):
            level = channels[..., channel]
            # photons: their variance is proportional to the light; below it 1 level of read noise
            deviation = root(level * (LEVEL // 64) + LEVEL * LEVEL)
            noisy.append(level + (deviation * draws.gauss(f"grain {channel}") >> 12))
        return clamp((np.stack(noisy, -1).reshape(exposed.shape) + LEVEL // 2) // LEVEL, 0, 255)


def _shoulder(lit: Field) -> Field:
    """Highlights above 200 levels are compressed towards 250, as every camera does."""
    over = np.maximum(lit - 200 * LEVEL, 0)
    room = 50 * LEVEL
    return np.where(over > 0, 200 * LEVEL + over * room // (over + room), lit)
