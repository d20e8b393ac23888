"""A project in which models were trained, judged and promoted, for the commands to look at."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support import patchae
from tests.support.plant import Works, the_works


@dataclass(frozen=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="package")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """One project for all commands that only look."""
    return the_works(tmp_path_factory)


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
