"""The block of the README comes from a run of the demo, and a second run trains nothing."""

from __future__ import annotations

import re
from pathlib import Path

from bench.first_page import block_of, demo
from bench.pages import README

NUMBER = re.compile(r"\d+(?:\.\d+)?")
CLASS = re.compile(r"^(\w+) +\d\.\d{4} ", re.MULTILINE)
KNOWN = re.compile(r"(\w+): \w+, version \d+ \(not trained again\)")
"""How the row of a class begins."""
STEP = 0.02
"""Other processors round otherwise, so that an image or two may change places."""


def words(text: str) -> list[str]:
    """The words of every line, each number as `#`: how wide a column is depends on its numbers."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in text.splitlines()]


def numbers(text: str) -> list[float]:
    """The numbers but for how long it took."""
    return [float(number) for number in NUMBER.findall(re.sub(r"took \d+ s", "", text))]


def test_the_block_of_the_readme_is_what_the_demo_prints(tmp_path: Path) -> None:
    written = block_of(README.read_text())
    first = demo(tmp_path / "plant").block
    assert words(first) == words(written), "write it anew: make bench-demo"
    for now, then in zip(numbers(first), numbers(written), strict=True):
        assert abs(now - then) <= STEP * max(1, then), "write it anew: make bench-demo"
    again = demo(tmp_path / "plant")
    assert words(again.block) == words(first)
    assert set(KNOWN.findall(again.progress)) == set(CLASS.findall(first))
