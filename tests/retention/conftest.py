"""A project with a real MLflow store and tiny classes, trained for real, without Prefect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.plant import Plant, clean, one_thread


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """An empty project, shared by the stories of a module."""
    with pytest.MonkeyPatch.context() as patch, one_thread():
        clean(patch)
        yield Plant(tmp_path_factory.mktemp("retention") / "plant")


@pytest.fixture(autouse=True)
def _in_the_plant(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands look for the project around the current folder."""
    monkeypatch.chdir(plant.project.root)
