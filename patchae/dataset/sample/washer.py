"""A turned steel washer on a dark belt: concentric grooves, bevelled edges, a stamped size."""

from __future__ import annotations

import numpy as np

from patchae.dataset.sample.draws import Draws
from patchae.dataset.sample.fixedpoint import (
    ONE,
    PX,
    TURN,
    Field,
    bearing,
    direction,
    grid,
    inside,
    length,
    near_path,
    power,
    ramp,
    times,
    turned,
)
from patchae.dataset.sample.light import Camera, Lamp, Relief, dim, lay, paint, shadow
from patchae.dataset.sample.product import Flaw, Product
from patchae.dataset.sample.stamp import stroke_distance

OUTER, INNER = 60 * PX, 26 * PX


def picture(draws: Draws, flaw: Flaw) -> Field:
    """One washer, with its flaw if it has one."""
    x, y = grid()
    x = x - draws.between("right", -4 * PX, 4 * PX)
    y = y - draws.between("down", -4 * PX, 4 * PX)
    lamp = Lamp.at(draws.between("lamp", 2480, 2640), draws.between("lamp height", 500, 600))
    u, v = turned(x, y, draws.between("turn", 0, TURN - 1))
    radius = length(x, y)
    around = bearing(u, v)

    # distance to the edges of the metal, negative in the metal
    edge = np.abs(radius - (OUTER + INNER) // 2) - (OUTER - INNER) // 2
    if flaw.kind == "notch":
        edge = _notch(flaw, edge, u, v)
    height = -times(ramp(edge, -7 * PX // 2, PX), 2 * PX)  # bevel
    # turning marks: ridges by radius, which run out and come back on the way round
    wander = radius + times(draws.noise("wander", u, v, 40 * PX), 90)
    grooves = draws.rings("grooves", wander, around, 420, 8)
    fine = draws.rings("fine grooves", wander, around, 230, 16)
    height = height + times(grooves, 22) + times(fine, 20)
    height = height - times(inside(stroke_distance("A2", (0, -43), 10, u, v) - 160, 320), 170)
    shine = np.zeros_like(x)
    if flaw.kind == "scratch":
        cut = _scratch(flaw, u, v)
        height, shine = height - cut // 24, times(cut, flaw.scaled(1500, 2600))
    if flaw.kind == "dent":
        height = height + _dent(flaw, u, v)

    relief = Relief.of(height)
    facing = relief.facing(lamp)
    glance = power(relief.facing(lamp.glance()), 4)
    # grooves spread the lamp's image into two fans across which the tangent is square to the lamp
    along = (y * lamp.x - x * lamp.y) // (radius + 1)
    fan = power(ONE - (along * along >> 12), 3)
    streaks = ONE + (draws.rings("streaks", wander, around, 200, 32) * 480 >> 12)
    metal = 620 + times(facing, 1300) + times(glance, 1350) + times(fan, 1900) + shine
    steel = paint((186, 188, 192), times(metal, streaks))
    if flaw.kind == "rust":
        brown = paint((142, 84, 50), times(facing, 3600))
        mottle = ONE + (flaw.draws.cloud("mottle", u, v, 3 * PX, 2) * 1500 >> 12)
        steel = lay(steel, dim(brown, mottle), _rust(flaw, u, v))

    return lay(_belt(draws, edge, x, y), steel, inside(edge, PX * 5 // 4))


def _belt(draws: Draws, edge: Field, x: Field, y: Field) -> Field:
    weave = draws.cloud("belt", x, y, 3 * PX, 2) * 420 >> 12
    wear = draws.cloud("wear", x, y, 50 * PX, 2) * 300 >> 12
    return dim(paint((52, 56, 64), ONE + weave + wear), shadow(edge, 3, 4, 2700))


def _on_ring(flaw: Flaw, radius: int) -> tuple[int, int]:
    # a point anywhere on a circle around the middle
    x, y = direction(flaw.draws.between("around", 0, TURN - 1))
    return x * radius // ONE, y * radius // ONE


def _notch(flaw: Flaw, edge: Field, u: Field, v: Field) -> Field:
    size = flaw.scaled(5 * PX, 15 * PX)
    x0, y0 = _on_ring(flaw, OUTER + size // 3)
    rough = flaw.draws.cloud("rough", u, v, 6 * PX, 3) * (size // 4) // ONE
    return np.asarray(np.maximum(edge, size + rough - length(u - x0, v - y0)))


def _scratch(flaw: Flaw, u: Field, v: Field) -> Field:
    size = flaw.scaled(14 * PX, 46 * PX)
    x0, y0 = _on_ring(flaw, flaw.draws.between("at", 38 * PX, 50 * PX))
    dx, dy = direction(flaw.draws.between("to", 0, TURN - 1))
    bend = flaw.draws.between("bend", -size // 8, size // 8)
    points = [
        (
            x0 + (dx * s * size // 8 - dy * (16 - s * s) * bend // 16) // ONE,
            y0 + (dy * s * size // 8 + dx * (16 - s * s) * bend // 16) // ONE,
        )
        for s in range(-4, 5)
    ]
    depth = ONE + (flaw.draws.noise("pressure", u, v, 5 * PX) >> 1)
    return times(ramp(near_path(u, v, points), flaw.scaled(300, 420), 60), depth)


def _dent(flaw: Flaw, u: Field, v: Field) -> Field:
    size = flaw.scaled(5 * PX, 10 * PX)
    x0, y0 = _on_ring(flaw, flaw.draws.between("at", 36 * PX, 50 * PX))
    a, b = turned(u - x0, v - y0, flaw.draws.between("to", 0, TURN - 1))
    far = length(a, b * 4 // 3)
    rim = times(ramp(np.abs(far - size), size // 3, 0), flaw.scaled(40, 110))
    return rim - times(ramp(far, size, 0), flaw.scaled(520, 1100))


def _rust(flaw: Flaw, u: Field, v: Field) -> Field:
    size = flaw.scaled(5 * PX, 17 * PX)
    x0, y0 = _on_ring(flaw, flaw.draws.between("at", 34 * PX, 54 * PX))
    far = length(u - x0, v - y0)
    patchy = flaw.draws.cloud("patches", u, v, 9 * PX, 3)
    share = ramp(far + (patchy * size >> 12), size, size // 3)
    return times(share, flaw.scaled(2300, 3900))


PRODUCT = Product("washer", picture, Camera(), ("scratch", "dent", "notch", "rust"))
