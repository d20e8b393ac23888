"""Every colour of text on the ground that it stands on, as WCAG 2.2 computes it: level AA."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from patchae.report.svg import COLORS

CSS = (files("patchae.report") / "templates" / "page.css").read_text()
TEXT, SHAPE = 4.5, 3.0
"""Contrast that text of any size, and a shape that carries meaning, must have at least."""

ON_GROUNDS = [
    (colour, ground)
    for ground in ("paper", "card", "wash")
    for colour in ("ink", "soft", "link", "promoted", "held", "rejected", "defect")
]
ON_ITS_OWN = [
    (state, f"{state}-wash") for state in ("promoted", "held", "rejected", "failed", "untrained")
]
SHAPES = [
    *((shape, "card") for shape in ("good", "defect", "fail-edge", "promoted", "held", "rejected")),
    ("link", "paper"),  # the ring around what has the focus
    ("link", "wash"),
]


def colours(scheme: str) -> dict[str, str]:
    """The colours of a scheme by name; the dark one changes those of the light one."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#\w+);", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#\w+);", dark))
    return found


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_that_of_wcag() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("colour", "ground"), ON_GROUNDS + ON_ITS_OWN)
def test_text_can_be_read(scheme: str, colour: str, ground: str) -> None:
    found = colours(scheme)
    assert contrast(found[colour], found[ground]) >= TEXT


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_shapes_that_carry_meaning_can_be_seen(scheme: str, shape: str, ground: str) -> None:
    found = colours(scheme)
    assert contrast(found[shape], found[ground]) >= SHAPE


def test_charts_that_stand_alone_can_be_read_on_white() -> None:
    for name, colour in COLORS.items():
        assert name == "grid" or contrast(colour, "#fff") >= TEXT


def test_every_named_colour_exists_in_both_schemes() -> None:
    templates = files("patchae.report") / "templates"
    used = set[str]()
    for sheet in templates.iterdir():
        if sheet.name.endswith((".css", ".j2")):
            used |= set(re.findall(r"var\(--([\w-]+)\)", sheet.read_text()))
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    for scheme in (light, dark):
        assert used <= set(re.findall(r"--([\w-]+):", scheme))


def test_motion_can_be_turned_off_and_the_focus_is_seen() -> None:
    assert "@media (prefers-reduced-motion: reduce)" in CSS
    assert re.search(r"a:focus-visible.*outline: 2px solid var\(--link\)", CSS)
    assert "outline: none" not in CSS
    assert "outline: 0" not in CSS
