"""Ledgers on either database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.postgres import Server
from tests.support.registry.fixtures import Make, in_files, ledger, place
from tests.support.registry.places import Place

__all__ = ["ledger", "new_place", "place"]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes places for ledgers on a database, with nothing there yet."""
    if request.param == "sqlite":
        return in_files(tmp_path)
    server: Server = request.getfixturevalue("postgres")
    return lambda: Place(server.new())
