"""Places for ledgers: in a file, which is quick, and on a server, which `system` adds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from patchae.registry.ledger import Ledger
from tests.support.registry.places import Place

Make = Callable[[], Place]


def in_files(folder: Path) -> Make:
    """Makes places in a folder, with nothing there yet."""
    numbers = count()
    return lambda: Place(folder / f"some folder {next(numbers)}" / "a#b?100%.db")


@pytest.fixture
def new_place(tmp_path: Path) -> Make:
    """Makes places for ledgers, with nothing there yet."""
    return in_files(tmp_path)


@pytest.fixture
def place(new_place: Make) -> Place:
    """Where a ledger may be."""
    return new_place()


@pytest.fixture
def ledger(place: Place) -> Ledger:
    """An empty ledger."""
    return place.ledger()
