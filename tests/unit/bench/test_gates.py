"""Populations of a known AUROC, and intervals that are asked for it."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from bench import gates
from bench.deciding import MARGIN, decided
from bench.gate_pages import EQUAL, WORSE, of_gates
from bench.gates import covered
from bench.pages import GATES, PAGE
from bench.populations import METHOD, Pair, Population
from patchae.evidence.auroc import components
from tests.support.bench.fixtures import MARKS


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
    two = {METHOD: [{"run": "a", "seed": 0}], "fast": [{"run": "b", "seed": 0}]}
    runs = {"nut": {"methods": two}, "bolt": {"methods": {}}}
    (tmp_path / "model.json").write_text(json.dumps({"classes": runs}))
    labels = [0] * 10 + [1] * 10
    of_nut = {
        "a": [1 + 0.1 * i for i in range(20)],
        "b": [1 + 0.1 * (i * 7 % 20) for i in range(20)],
    }
    scores = {"nut": {"labels": labels, "runs": of_nut}, "bolt": {"labels": [], "runs": {}}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    assert gates.main([*given, "--page", str(page), "--draws", "3"]) == 0
    found = json.loads(results.read_text())
    assert len(found["coverage"]) == len(gates.SIZES) * len(gates.TRUTHS)
    assert "classes: nut." in page.read_text()
    assert of_gates(results) in page.read_text()
    for name in (WORSE, EQUAL):
        assert (tmp_path / name).read_text().startswith("<svg")


@pytest.fixture
def pair() -> Pair:
    """Two models that see the same difficulty."""
    random = np.random.default_rng(2)
    good, defective = random.normal(0, 1, (25, 1)), random.normal(1, 1, (35, 1))
    return Pair(good + random.normal(0, 0.5, (25, 2)), defective + random.normal(0, 0.5, (35, 2)))


def test_a_pair_has_the_two_aurocs_and_keeps_what_both_share(pair: Pair) -> None:
    shifts = pair.shifts(0.9, 0.98)
    scores = pair.draw(4000, 4000, shifts, np.random.default_rng(1))
    labels = [0] * 4000 + [1] * 4000
    for side, truth in enumerate((0.9, 0.98)):
        found = components(labels, scores[:, side].tolist()).auroc
        assert found == pytest.approx(truth, abs=0.01)
    assert np.corrcoef(scores[:4000].T)[0, 1] > 0.6


def test_a_gate_is_seldom_wrong_and_always_says_something(pair: Pair) -> None:
    worse = decided(pair, (60, 60), 0.98, -2 * MARGIN, 60)
    equal = decided(pair, (60, 60), 0.98, 0.0, 60)
    for said in (worse, equal):
        assert all(sum(shares.values()) == pytest.approx(1) for shares in said.values())
    assert worse["patchae"]["promote"] <= 0.05
    assert equal["patchae"]["reject"] <= 0.05
    assert equal["point"]["reject"] > 0.2


def test_what_was_measured_is_what_is_promised() -> None:
    found = json.loads(GATES.read_text())
    for one in found["coverage"]:
        for of_class in one["classes"].values():
            assert of_class["patchae"]["coverage"] > 0.92
        ours = [of_class["patchae"] for of_class in one["classes"].values()]
        mean = {of: fmean(each[of] for each in ours) for of in ("coverage", "above")}
        assert mean["coverage"] >= 0.93
        # Near 1 no interval can lie above the truth: one side misses as it should, one never.
        assert mean["coverage"] <= 0.97 or mean["above"] < 0.005
    worse = [one for one in found["decisions"] if one["difference"] < -1e-9]
    equal = [one for one in found["decisions"] if abs(one["difference"]) < 1e-9]
    assert all(one["gates"]["patchae"]["promote"] <= 0.05 for one in worse)
    assert all(one["gates"]["patchae"]["reject"] <= 0.05 for one in equal)
    text = PAGE.read_text()
    assert of_gates(GATES) in text
    assert WORSE in text
    assert EQUAL in text
