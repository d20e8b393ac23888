"""One Prefect server for all stories that are told in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from flows import stopping
from tests.support.plant import Plant, clean, one_thread


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prefect, on a database of its own."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setenv("PREFECT_LOGGING_LEVEL", "ERROR")
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=180):
            yield


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """An empty project, shared by the stories of a module."""
    with one_thread():
        yield Plant(tmp_path_factory.mktemp("module") / "plant")


@pytest.fixture(autouse=True)
def _not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that another test stopped is not this one's."""
    monkeypatch.setattr(stopping, "_stopped", threading.Event())


@pytest.fixture(autouse=True)
def _in_the_plant(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands look for the project around the current folder."""
    monkeypatch.chdir(plant.project.root)
