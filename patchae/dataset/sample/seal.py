"""A moulded rubber seal: the hard class.

Bloom, talc and glare differ so much from part to part that most of the defects, which are faint,
drown in them. Nearest neighbours in the features of a frozen EfficientNet-Lite0 reach an image
AUROC of only 0.7 or so: a gate of 0.90 has something to reject.
"""

from __future__ import annotations

import numpy as np

from patchae.dataset.sample.draws import Draws
from patchae.dataset.sample.fixedpoint import (
    ONE,
    PX,
    TURN,
    Field,
    clamp,
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

HALF, CORNER = 46 * PX, 22 * PX  # middle line: half the side, radius of the corners
BAND = 13 * PX  # half the width of the rubber


def picture(draws: Draws, flaw: Flaw) -> Field:
    """One seal, with its flaw if it has one."""
    x, y = grid()
    x = x - draws.between("right", -6 * PX, 6 * PX)
    y = y - draws.between("down", -6 * PX, 6 * PX)
    lamp = Lamp.at(draws.between("lamp", 2300, 2820), draws.between("lamp height", 400, 640))
    u, v = turned(x, y, draws.between("turn", -160, 160))

    sway = draws.noise("sway", u, v, 40 * PX) * 230 >> 12
    aside = _from_middle(u, v) + sway
    band = BAND + (draws.noise("width", u, v, 22 * PX) * 240 >> 12)
    if flaw.kind == "thin":
        band = band - _waist(flaw, u, v)
    edge = np.abs(aside) - band
    # rounded edges and two sealing lips
    lips = ONE - clamp(np.abs(np.abs(aside) - 5 * PX) * ONE // (3 * PX), 0, ONE)
    height = times(ramp(edge, 0, -4 * PX), 4 * PX) + times(lips, 3 * PX // 2)
    height = height + (draws.cloud("skin", u, v, 4 * PX, 2) * 70 >> 12)
    height = height + (draws.cloud("waves", u, v, 14 * PX, 2) * 260 >> 12)
    if flaw.kind == "void":
        height = height - _void(flaw, u, v)
    line = np.zeros_like(x)
    if flaw.kind == "flow_line":
        line = _flow_line(flaw, u, v)
        height = height - times(line, 150)

    relief = Relief.of(height)
    bloom = draws.between("bloom", 700, 2300)
    dusty = times(ramp(draws.cloud("bloom", u, v, 26 * PX, 4), -900, 2600), bloom)
    talc = ramp(draws.cloud("talc", u, v, 3 * PX, 2), draws.between("talc", 2300, 2900), 3700)
    rubber = lay(paint((58, 60, 66)), paint((128, 128, 126)), dusty)
    rubber = lay(rubber, paint((186, 184, 178)), times(talc, 1900))
    if flaw.kind == "inclusion":
        rubber = lay(rubber, paint((150, 132, 112)), _inclusion(flaw, u, v))
    sheen = draws.between("sheen", 500, 1500)
    glare = ONE + (draws.noise("glare", x, y, 45 * PX) * 3 >> 2)
    gleam = times(times(power(relief.facing(lamp.glance()), 4), glare), sheen)
    body = dim(rubber, 900 + times(relief.facing(lamp), 3400) - times(line, 900))
    body = body + paint((215, 222, 235), times(gleam, ONE - (dusty >> 1)))

    brushed = draws.noise("brushed", x >> 4, y, 2 * PX) * 130 >> 12
    stains = draws.cloud("stains", x, y, 40 * PX, 3) * 420 >> 12
    table = dim(paint((168, 166, 160), ONE + brushed + stains), shadow(edge, 3, 4, 2500))
    return lay(table, body, inside(edge, PX * 5 // 4))


def _from_middle(u: Field, v: Field) -> Field:
    # signed distance from the middle line, a square with round corners
    right, down = np.abs(u) - (HALF - CORNER), np.abs(v) - (HALF - CORNER)
    corner = length(np.maximum(right, 0), np.maximum(down, 0))
    return np.asarray(corner + np.minimum(np.maximum(right, down), 0) - CORNER)


def _place(flaw: Flaw, aside: int) -> tuple[int, int]:
    # a point on one of the straight sides, `aside` from the middle line
    along = flaw.draws.between("along", CORNER - HALF, HALF - CORNER)
    across = HALF + flaw.draws.between("aside", -aside, aside)
    side = flaw.draws.between("side", 0, 3)
    if side % 2:
        across = -across
    return (along, across) if side < 2 else (across, along)


def _waist(flaw: Flaw, u: Field, v: Field) -> Field:
    x0, y0 = _place(flaw, 0)
    near = ramp(length(u - x0, v - y0), 24 * PX, 6 * PX)
    return times(near, flaw.scaled(3 * PX // 4, 7 * PX // 2))


def _void(flaw: Flaw, u: Field, v: Field) -> Field:
    x0, y0 = _place(flaw, 8 * PX)
    size = flaw.scaled(5 * PX // 2, 5 * PX)
    return times(ramp(length(u - x0, v - y0), size, 0), flaw.scaled(220, 640))


def _flow_line(flaw: Flaw, u: Field, v: Field) -> Field:
    x0, y0 = _place(flaw, 4 * PX)
    dx, dy = direction(flaw.draws.between("to", 0, TURN - 1))
    reach = flaw.scaled(8 * PX, 17 * PX)
    wavy = flaw.draws.noise("wavy", u, v, 6 * PX) * PX >> 12
    ends = [(x0 + s * dx * reach // ONE, y0 + s * dy * reach // ONE) for s in (-1, 1)]
    return times(ramp(near_path(u + wavy, v + wavy, ends), 2 * PX, 60), flaw.scaled(1500, ONE))


def _inclusion(flaw: Flaw, u: Field, v: Field) -> Field:
    x0, y0 = _place(flaw, 9 * PX)
    size = flaw.scaled(5 * PX // 2, 4 * PX)
    uneven = flaw.draws.noise("uneven", u, v, 2 * PX) * (size // 3) >> 12
    return times(ramp(length(u - x0, v - y0) + uneven, size, size // 2), flaw.scaled(1700, 3000))


PRODUCT = Product(
    "seal",
    picture,
    Camera(gain=500, slope=550),
    ("void", "flow_line", "inclusion", "thin"),
    visible=4,
)
