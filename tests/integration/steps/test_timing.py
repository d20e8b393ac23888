"""The time that a gate holds a model to: of single images, by a model that is warm."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from patchae.model.detector import PatchAE
from patchae.steps.job import ClassJob
from patchae.steps.learn import evaluate_class
from patchae.steps.timing import ms_per_image
from tests.support.plant import Plant, learned


@pytest.fixture(scope="module")
def job(plant: Plant) -> ClassJob:
    """A class that was trained and scored."""
    plant.line("timed", "stud")
    return learned(plant.project, "timed", "stud")


def _slow(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> list[int]:
    """Every call of a model takes so much longer, the last time for all that follow."""
    score, asked = PatchAE.score, []

    def slowly(self: PatchAE, sources: Any, batch_size: int = 8) -> Any:
        time.sleep(seconds[min(len(asked), len(seconds) - 1)])
        asked.append(len(sources))
        return score(self, sources, batch_size)

    monkeypatch.setattr(PatchAE, "score", slowly)
    return asked


def test_neither_a_cold_start_nor_a_busy_moment_counts(
    job: ClassJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = PatchAE.load(job.trained / "model")
    files = [job.project.data / path for path in job.test_rows["path"]]
    asked = _slow(monkeypatch, [0.4, 0, 0, 0.4, 0.4, 0])
    assert 0 < ms_per_image(model, files) < 300
    assert set(asked) == {1}, "one by one"


def test_one_image_is_enough(job: ClassJob, monkeypatch: pytest.MonkeyPatch) -> None:
    model = PatchAE.load(job.trained / "model")
    files: list[Path] = [job.project.data / job.test_rows["path"].iloc[0]]
    _slow(monkeypatch, [0.05])
    assert ms_per_image(model, files) > 50


def test_it_is_the_time_that_is_recorded(job: ClassJob, monkeypatch: pytest.MonkeyPatch) -> None:
    (job.evaluated / "digests.json").unlink()
    _slow(monkeypatch, [0.8, 0.8, 0])  # the batches of all twelve images
    assert evaluate_class(job)["ms_per_image"] < 1600 / 12
