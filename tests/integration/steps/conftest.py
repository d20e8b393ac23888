"""Jobs on tiny classes, trained for real and without MLflow or Prefect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.plant import Plant, one_thread


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """An empty project, shared by the tests of a module."""
    with one_thread():
        yield Plant(tmp_path_factory.mktemp("steps") / "plant")
