"""Jobs on tiny classes, trained for real and without MLflow or Prefect."""

from __future__ import annotations

import pytest

from tests.support.plant import Plant


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """An empty project, shared by the tests of a module."""
    return Plant(tmp_path_factory.mktemp("steps") / "plant")
