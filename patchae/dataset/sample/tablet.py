"""A coated tablet in a tray: domed, speckled, with a score line and an imprint."""

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
    root,
    times,
    turned,
)
from patchae.dataset.sample.light import Camera, Lamp, Relief, dim, lay, paint, shadow
from patchae.dataset.sample.product import Flaw, Product
from patchae.dataset.sample.stamp import stroke_distance

STRAIGHT = 30 * PX  # half the straight part
ROUND = 29 * PX  # radius of the ends
DOME = 11 * PX

COATING, CORE, SPECKLE, TRAY = (236, 222, 190), (246, 243, 234), (168, 92, 62), (44, 74, 84)
STAINS = ((196, 158, 74), (120, 132, 152), (178, 96, 92), (140, 118, 84))


def picture(draws: Draws, flaw: Flaw) -> Field:
    """One tablet, with its flaw if it has one."""
    x, y = grid()
    x = x - draws.between("right", -4 * PX, 4 * PX)
    y = y - draws.between("down", -5 * PX, 5 * PX)
    lamp = Lamp.at(draws.between("lamp", 2480, 2680), draws.between("lamp height", 480, 580))
    u, v = turned(x, y, draws.between("turn", -75, 75))

    edge = length(u - clamp(u, -STRAIGHT, STRAIGHT), v) - ROUND
    depth = clamp(-edge, 0, ROUND) * ONE // ROUND
    dome = times(root(ONE * ONE - (ONE - depth) ** 2), DOME)
    orange_peel = draws.cloud("peel", u, v, 4 * PX, 2) * 14 >> 12
    pressed = _imprint(u, v)
    if flaw.kind == "imprint":
        pressed = _misprint(flaw, pressed, u, v)
    height = dome + orange_peel - times(pressed, 300)
    chip = crack = np.zeros_like(x)
    if flaw.kind == "chip":
        chip, floor = _chip(flaw, edge, u, v)
        height = height + ((np.minimum(floor, height) - height) * chip >> 12)
    if flaw.kind == "crack":
        crack = _crack(flaw, u, v)
        height = height - times(crack, flaw.scaled(120, 300))

    relief = Relief.of(height)
    light = 1150 + times(relief.facing(lamp), 2950)
    gloss = times(power(relief.facing(lamp.glance()), 5), 620)
    speckles = ramp(draws.cloud("speckles", u, v, 3 * PX, 2), 2300, 3300)
    coating = lay(paint(COATING), paint(SPECKLE), times(speckles, 1900))
    if flaw.kind == "stain":
        coating = lay(coating, paint(STAINS[flaw.draws.between("color", 0, 3)]), _stain(flaw, u, v))
    coating = lay(coating, paint(CORE), chip)
    body = dim(coating, times(light, ONE - times(crack, 2400)))
    body = body + paint((255, 255, 255), times(gloss, ONE - chip))

    grain = draws.cloud("tray", x, y, 2 * PX, 2) * 260 >> 12
    wear = draws.cloud("wear", x, y, 60 * PX, 2) * 260 >> 12
    tray = dim(paint(TRAY, ONE + grain + wear), shadow(edge, 4, 5, 2900))
    return lay(tray, body, inside(edge, PX * 3 // 2))


def _imprint(u: Field, v: Field) -> Field:
    score = times(inside(np.abs(u) - 200, 500), ramp(np.abs(v), 26 * PX, 22 * PX))
    letters = np.minimum(
        stroke_distance("PA", (-27, 0), 15, u, v), stroke_distance("20", (27, 0), 15, u, v)
    )
    return np.maximum(score, inside(letters - 220, 400))


def _misprint(flaw: Flaw, pressed: Field, u: Field, v: Field) -> Field:
    # the punch was worn or sticky: part of the imprint is filled up
    x0 = flaw.draws.between("across", 20 * PX, 34 * PX)
    x0 = x0 if flaw.draws.between("side", 0, 1) else -x0
    y0 = flaw.draws.between("down", -6 * PX, 6 * PX)
    size = flaw.scaled(11 * PX, 21 * PX)
    uneven = flaw.draws.cloud("uneven", u, v, 9 * PX, 2) * (size // 3) >> 12
    filled = ramp(length(u - x0, v - y0) + uneven, size, size * 2 // 3)
    return times(pressed, ONE - times(filled, flaw.scaled(3000, ONE)))


def _chip(flaw: Flaw, edge: Field, u: Field, v: Field) -> tuple[Field, Field]:
    # share of the coating that is gone, and the height of the rough core below it
    size = flaw.scaled(7 * PX, 17 * PX)
    dx, dy = direction(flaw.draws.between("around", 0, TURN - 1))
    x0 = (STRAIGHT if dx > 0 else -STRAIGHT) + dx * ROUND // ONE
    y0 = dy * ROUND // ONE
    rough = flaw.draws.cloud("break", u, v, 8 * PX, 3)
    broken = inside(length(u - x0, v - y0) + (rough * (size // 2) >> 12) - size, PX)
    return broken, 3 * PX + (rough * 2 * PX >> 12) + times(ramp(-edge, 0, ROUND // 2), 2 * PX)


def _crack(flaw: Flaw, u: Field, v: Field) -> Field:
    size = flaw.scaled(18 * PX, 54 * PX)
    px, py = flaw.draws.between("x", -40 * PX, 40 * PX), flaw.draws.between("y", -14 * PX, 14 * PX)
    angle = flaw.draws.between("to", 0, TURN - 1)
    points = [(px, py)]
    for step in range(9):
        dx, dy = direction((angle + flaw.draws.between(f"kink {step}", -420, 420)) % TURN)
        px, py = px + dx * size // 9 // ONE, py + dy * size // 9 // ONE
        points.append((px, py))
    return times(ramp(near_path(u, v, points), 330, 60), flaw.scaled(2900, ONE))


def _stain(flaw: Flaw, u: Field, v: Field) -> Field:
    x0, y0 = flaw.draws.between("x", -44 * PX, 44 * PX), flaw.draws.between("y", -16 * PX, 16 * PX)
    size = flaw.scaled(7 * PX, 15 * PX)
    uneven = flaw.draws.cloud("uneven", u, v, 10 * PX, 3) * (size // 2) >> 12
    return times(ramp(length(u - x0, v - y0) + uneven, size, size // 3), flaw.scaled(1700, 3300))


PRODUCT = Product("tablet", picture, Camera(), ("chip", "crack", "imprint", "stain"))
