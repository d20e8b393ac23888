"""A project in which models were trained, judged and promoted, for the commands to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from patchae.registry.tracking import Tracking
from tests.flows.conftest import clean
from tests.flows.plant import Plant, patchae, steps


@dataclass(frozen=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str


class Works:
    """The line `works` after two retrainings of `lens` and one of `disc`."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        plant.line("works", "disc", "lens")
        tracking = plant.tracking()
        for name in ("disc", "lens"):
            steps(plant.project, "works", name, tracking)
        plant.add_train("lens", 3)
        steps(plant.project, "works", "lens", tracking)

    def tracking(self) -> Tracking:
        """MLflow of the project."""
        return self.plant.tracking()


@pytest.fixture(scope="package")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    """One project for all commands that only look."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # images are tiny: threads would only wait for each other
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        made = Works(Plant(tmp_path_factory.mktemp("works") / "plant"))
    yield made
    torch.set_num_threads(threads)


class Command:
    """Runs commands in the project, as the console script does."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str) -> Told:
        told = Told(*patchae(self._capsys, self._monkeypatch, *words))
        assert "Traceback" not in told.out + told.err
        return told


@pytest.fixture
def run(
    works: Works, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Commands in the project `works`."""
    monkeypatch.chdir(works.plant.project.root)
    return Command(capsys, monkeypatch)
