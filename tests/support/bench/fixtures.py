"""A tiny class on disk, and runs of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.judge import Product, read_product
from bench.pages import SECTIONS
from tests.support import SIDE, write_class

MARKS = "".join(f"<!-- {mark}:begin -->\n<!-- {mark}:end -->\n" for mark in SECTIONS)
"""A page with nothing between its marks."""


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one class of small images."""
    data = tmp_path_factory.mktemp("bench") / "data"
    write_class(data, "bolt", train_good=8, test_good=4, test_defect=4)
    return data


@pytest.fixture(scope="session")
def bolt(plant: Path) -> Product:
    """That class."""
    return read_product(plant, "bolt", SIDE)
