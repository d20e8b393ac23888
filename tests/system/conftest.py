"""A real Prefect server for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.server import free_port, prefect_server
from tests.support.prefect_database import give_database


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a real server."""
    home = give_database(tmp_path_factory.mktemp("server"))
    with prefect_server(home, free_port(0), pages=False) as url:
        yield url
