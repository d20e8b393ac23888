"""Populations of a known AUROC, and intervals that are asked for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import gates
from bench.gates import METHOD, Population, covered
from bench.pages import GATES, of_coverage
from patchae.evidence.auroc import components
from tests.bench.conftest import MARKS


@pytest.fixture
def population() -> Population:
    """Few scores, the defective ones a little higher."""
    random = np.random.default_rng(0)
    return Population(random.normal(0, 1, 20), random.normal(1, 2, 30))


@pytest.mark.parametrize("truth", [0.7, 0.9, 0.995])
def test_a_population_has_the_auroc_that_is_asked_for(population: Population, truth: float) -> None:
    scores = population.draw(4000, 4000, population.shift(truth), np.random.default_rng(1))
    assert components([0] * 4000 + [1] * 4000, scores.tolist()).auroc == pytest.approx(
        truth, abs=0.01
    )


def test_all_intervals_see_the_same_draws_each_time(population: Population) -> None:
    first = covered(population, 12, 30, 0.9, 40)
    assert first == covered(population, 12, 30, 0.9, 40)
    assert set(first) == set(gates.INTERVALS)
    assert first["patchae"]["coverage"] > 0.8
    assert all(0 < one["width"] < 1 for one in first.values())


def test_the_bench_is_written_and_rendered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, page = tmp_path / "gates.json", tmp_path / "page.md"
    page.write_text(MARKS)
    given = ["--scores", str(tmp_path / "model.json"), "--results", str(results)]
    assert gates.main([*given, "--page", str(page)]) == 2
    assert "make bench-model" in capsys.readouterr().err
    runs = {"nut": {"methods": {METHOD: [{"run": "a"}]}}, "bolt": {"methods": {}}}
    (tmp_path / "model.json").write_text(json.dumps({"classes": runs}))
    labels = [0] * 10 + [1] * 10
    scores = {"nut": {"labels": labels, "runs": {"a": [1 + 0.1 * i for i in range(20)]}}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    assert gates.main([*given, "--page", str(page), "--draws", "3"]) == 0
    found = json.loads(results.read_text())
    assert len(found["coverage"]) == len(gates.SIZES) * len(gates.TRUTHS)
    assert "classes: nut." in page.read_text()
    assert of_coverage(results) in page.read_text()


def test_what_was_measured_is_what_is_promised() -> None:
    found = json.loads(GATES.read_text())
    for one in found["coverage"]:
        for of_class in one["classes"].values():
            assert of_class["patchae"]["coverage"] > 0.92
