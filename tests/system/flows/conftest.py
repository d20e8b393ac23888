"""One Prefect server for all stories that are told in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from flows import stopping
from flows.server import free_port
from flows.server import prefect_server as server
from tests.support import clean
from tests.support.plant import Plant
from tests.support.prefect_database import give_database


@pytest.fixture(scope="session")
def _server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a Prefect server on a database of its own."""
    home = give_database(tmp_path_factory.mktemp("prefect"))
    with server(home, free_port(0), pages=False) as url:
        yield url


@pytest.fixture(scope="module")
def prefect_server(_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prefect, for the stories of one module: what comes after it knows no server."""
    from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL, temporary_settings

    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("home")))
        with temporary_settings({PREFECT_API_URL: _server_url, PREFECT_LOGGING_LEVEL: "ERROR"}):
            yield


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """An empty project, shared by the stories of a module."""
    made = Plant(tmp_path_factory.mktemp("module") / "plant")
    give_database(made.project.prefect)
    return made


@pytest.fixture(autouse=True)
def _not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that another test stopped is not this one's."""
    monkeypatch.setattr(stopping, "_stopped", threading.Event())


@pytest.fixture(autouse=True)
def _in_the_plant(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands look for the project around the current folder."""
    monkeypatch.chdir(plant.project.root)
