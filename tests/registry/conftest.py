"""The same ledger on both databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchae.registry.ledger import Ledger
from tests.registry.places import Place

Make = Callable[[], Place]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a ledger may be, with nothing there yet."""
    if request.param == "sqlite":
        return Place(tmp_path / "some folder" / "a#b?100%.db")
    return Place(request.getfixturevalue("postgres").new())


@pytest.fixture
def ledger(place: Place) -> Ledger:
    """An empty ledger, on either database."""
    return place.ledger()
