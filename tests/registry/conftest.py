"""The same ledger on both databases."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from patchae.registry.ledger import Ledger
from tests.postgres import Server
from tests.registry.places import Place

Make = Callable[[], Place]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes places for ledgers, with nothing there yet."""
    if request.param == "sqlite":
        numbers = count()
        return lambda: Place(tmp_path / f"some folder {next(numbers)}" / "a#b?100%.db")
    server: Server = request.getfixturevalue("postgres")
    return lambda: Place(server.new())


@pytest.fixture
def place(new_place: Make) -> Place:
    """Where a ledger may be."""
    return new_place()


@pytest.fixture
def ledger(place: Place) -> Ledger:
    """An empty ledger, on either database."""
    return place.ledger()
