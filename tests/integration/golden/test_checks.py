"""The same images are found sound, or not, by the same checks as before."""

from __future__ import annotations

from pathlib import Path

from tests.golden import CHECKS, read
from tests.golden.results import checks


def test_the_same_images_give_the_same_result_of_every_check(tmp_path: Path) -> None:
    assert checks(tmp_path) == read(CHECKS), "if this is meant: python -m tests.golden"
