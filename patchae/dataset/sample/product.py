"""What every sample product is: a way to draw it, a camera, and the flaws it can have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from patchae.dataset.sample.draws import Draws
from patchae.dataset.sample.fixedpoint import LEVEL, ONE, Field, blur
from patchae.dataset.sample.light import Camera

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Flaw:
    """What is wrong with one part: its kind, its strength (0 to ONE) and its own chance.

    A good part has the kind `good`, for which no product draws anything.
    """

    kind: str
    strength: int
    draws: Draws

    def scaled(self, subtle: int, obvious: int) -> int:
        """A value between its subtle and its obvious end, by strength."""
        return subtle + (obvious - subtle) * self.strength // ONE


@dataclass(frozen=True)
class Product:
    """One class of the sample. `picture` draws the scene in 1/LEVEL: (SIDE, SIDE[, 3])."""

    name: str
    picture: Callable[[Draws, Flaw], Field]
    camera: Camera
    kinds: tuple[str, ...]
    visible: int = 5
    """Grey levels from which a difference to the flawless part belongs to the defect."""

    def good(self, name: str) -> Pixels:
        """A photo of a good part; the same name gives the same photo."""
        draws = Draws(f"{self.name}/{name}")
        return self._photo(draws, self._exposed(draws, "good", 0))

    def defective(self, name: str, kind: str, strength: int) -> tuple[Pixels, Pixels]:
        """A photo of a defective part, and its mask: 255 where the defect shows.

        Law: where the mask is 0, the photo equals `good(name)` to the last bit.
        """
        draws = Draws(f"{self.name}/{name}")
        flawless = self._exposed(draws, "good", 0)
        flawed = self._exposed(draws, kind, strength)
        change = np.abs(flawed - flawless).reshape(*flawed.shape[:2], -1).max(axis=-1)
        seen = np.where(change >= self.visible * LEVEL, ONE, 0)
        mask = blur(seen, 1) * 9 >= 5 * ONE  # the majority of nine: no lone pixels, no pinholes
        where = mask if flawed.ndim == 2 else mask[..., None]
        photo = self._photo(draws, np.where(where, flawed, flawless))
        return photo, np.where(mask, 255, 0).astype(np.uint8)

    def _exposed(self, draws: Draws, kind: str, strength: int) -> Field:
        scene = self.picture(draws, Flaw(kind, strength, draws.child(kind)))
        return self.camera.expose(draws.child("camera"), scene)

    def _photo(self, draws: Draws, exposed: Field) -> Pixels:
        return self.camera.develop(draws.child("sensor"), exposed).astype(np.uint8)
