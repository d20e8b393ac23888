"""Woven wire cloth, photographed in grey: round wires that pass over and under each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
    sine,
    times,
    turned,
)
from patchae.dataset.sample.light import Camera, Lamp, Relief, lay, paint
from patchae.dataset.sample.product import Flaw, Product

PITCH = 14 * PX
WIRE = 11 * PX // 4  # radius
SWING = 5 * PX // 2  # height of the wires' waves
NOTHING = -20 * PX  # deeper than anything that can be seen


def picture(draws: Draws, flaw: Flaw) -> Field:
    """One piece of cloth that fills the picture, with its flaw if it has one."""
    x, y = grid()
    lamp = Lamp.at(draws.between("lamp", 2400, 2720), draws.between("lamp height", 480, 600))
    u, v = turned(x, y, draws.between("turn", -45, 45))
    u = u + draws.between("right", -PITCH, PITCH)
    v = v + draws.between("down", -PITCH, PITCH)

    bulge = _bulge(flaw, u, v) if flaw.kind == "bent" else 0
    warp = _wires(draws.child("warp"), u + bulge, v)
    weft = _wires(draws.child("weft"), v, u + PITCH)
    if flaw.kind == "broken":
        warp = np.where(_gap(flaw, u, v), NOTHING, warp)
    height = np.maximum(warp, weft)
    wire = inside(-height - 4 * PX, 2 * PX)
    drop = np.full_like(height, NOTHING)
    if flaw.kind == "glue":
        drop = _drop(flaw, x, y)
        height = np.maximum(height, drop)
    relief = Relief.of(np.maximum(height, -6 * PX))
    # wires that dip below their crossing lie in the shade
    sunk = ramp(height, -5 * PX, 3 * PX)
    finish = ONE + (draws.cloud("finish", u, v, 5 * PX, 2) * 350 >> 12)
    gleam = power(relief.facing(lamp.glance()), 4)
    metal = times(times(800 + times(relief.facing(lamp), 2100), finish), 2300 + (sunk * 7 >> 3))
    metal = metal + times(times(gleam, 1900), sunk)
    floor = 720 + (draws.cloud("floor", x, y, 60 * PX, 3) * 130 >> 12)
    scene = lay(paint((200,), floor), paint((215,), metal), wire)
    if flaw.kind == "glue":
        shine = times(power(relief.facing(lamp.glance()), 5), 2600)
        body = paint((190,), 700 + times(relief.facing(lamp), 1900) + shine)
        scene = lay(scene, body, times(inside(-drop - PX, 2 * PX), flaw.scaled(2600, 3700)))
    if flaw.kind == "thread":
        scene = _thread(flaw, scene, x, y)
    return scene


def _wires(draws: Draws, across: Field, along: Field) -> Field:
    # height of one set of parallel wires, NOTHING between them
    across = across + (draws.noise("sway", across, along, 4 * PITCH) * 200 >> 12)
    number = across // PITCH
    jitter = draws.noise("jitter", number * PX, 0 * number, PX) * 150 >> 12
    aside = across - number * PITCH - PITCH // 2 + jitter
    wave = sine((along + number * PITCH) * (TURN // 2) // PITCH)
    profile = root(np.maximum(WIRE * WIRE - aside * aside, 0))
    return np.where(np.abs(aside) < WIRE, profile + (wave * SWING >> 12) - WIRE, NOTHING)


def _place(flaw: Flaw) -> tuple[int, int]:
    return flaw.draws.between("x", -50 * PX, 50 * PX), flaw.draws.between("y", -50 * PX, 50 * PX)


def _gap(flaw: Flaw, u: Field, v: Field) -> npt.NDArray[np.bool_]:
    # where one wire is gone over a length, between ragged ends
    x0, y0 = _place(flaw)
    ragged = flaw.draws.noise("ragged", u, v, 2 * PX) * PX >> 12
    return np.asarray(
        (u // PITCH == x0 // PITCH) & (np.abs(v - y0) + ragged < flaw.scaled(6 * PX, 24 * PX))
    )


def _bulge(flaw: Flaw, u: Field, v: Field) -> Field:
    x0, y0 = _place(flaw)
    push = flaw.scaled(3 * PX, 7 * PX) * (1 - 2 * flaw.draws.between("side", 0, 1))
    near = times(ramp(np.abs(v - y0), 16 * PX, 0), ramp(np.abs(u - x0), 15 * PX, 4 * PX))
    return times(near, push)


def _drop(flaw: Flaw, x: Field, y: Field) -> Field:
    x0, y0 = _place(flaw)
    size = flaw.scaled(6 * PX, 17 * PX)
    uneven = flaw.draws.cloud("uneven", x, y, 14 * PX, 2) * (size // 3) >> 12
    far = length(x - x0, y - y0) + uneven
    dome = root(np.maximum(ONE * ONE - (clamp(far * ONE // size, 0, ONE)) ** 2, 0))
    return np.where(far < size, times(dome, size // 3) - PX, NOTHING)


def _thread(flaw: Flaw, scene: Field, x: Field, y: Field) -> Field:
    x0, y0 = _place(flaw)
    size, angle = flaw.scaled(24 * PX, 64 * PX), flaw.draws.between("to", 0, TURN - 1)
    curl = flaw.draws.between("curl", -70, 70)
    path = [(x0, y0)]
    for step in range(12):
        kink = flaw.draws.between(f"kink {step}", -150, 150)
        dx, dy = direction((angle + curl * step + kink) % TURN)
        x0, y0 = x0 + dx * size // 12 // ONE, y0 + dy * size // 12 // ONE
        path.append((x0, y0))
    far = near_path(x, y, path)
    shade = near_path(x - 2 * PX, y - 3 * PX, path)
    scene = lay(scene, scene * 5 // 8, ramp(shade, 3 * PX, 0))
    fibre = inside(far - 200, PX)
    glow = ONE - (ramp(far, 0, 400) >> 2)
    return lay(scene, paint((flaw.scaled(190, 240),), glow), times(fibre, flaw.scaled(3400, 4096)))


PRODUCT = Product("mesh", picture, Camera(), ("broken", "bent", "thread", "glue"))
