"""How often the interval of an AUROC holds the truth, on scores as real classes give them.

    make bench-gates [ARGS="--draws 2000"]

Nobody knows the true AUROC of a real model, so populations are made whose AUROC is known: the
scores that the bench measured on each class (bench/results/scores.json), smoothed, the defective
ones moved until a defective image scores above a good one with just the probability that is asked
for. From these, test sets of several sizes are drawn again and again, and each interval is asked
whether it holds that probability. All intervals see the same draws.

Writes bench/results/gates.json and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.pages import GATES, PAGE, RESULTS, of_coverage, render
from patchae.evidence.auroc import Measured, auroc_interval, components
from patchae.files import write_json
from patchae.intervals import newcombe_interval

SIZES = ((12, 30), (20, 63), (60, 40), (200, 200))
"""Good and defective test images; the first two are MVTec AD's toothbrush and bottle."""
TRUTHS = (0.9, 0.98, 0.995)
METHOD = "patch-ae"
_Z = NormalDist().inv_cdf(0.975)
Scores = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Population:
    """Scores of a class, good and defective, on a logarithmic scale, to draw from."""

    good: Scores
    defective: Scores

    def draw(self, n: int, m: int, shift: float, random: np.random.Generator) -> Scores:
        """n good and m defective scores, of a population whose defective ones are moved."""
        parts = [(self.good, n, 0.0), (self.defective, m, shift)]
        return np.concatenate(
            [
                random.choice(scores, size) + by + _width(scores) * random.standard_normal(size)
                for scores, size, by in parts
            ]
        )

    def shift(self, truth: float) -> float:
        """How far the defective scores must move for an AUROC of `truth`."""
        from scipy.optimize import brentq
        from scipy.stats import norm

        apart = self.defective[:, None] - self.good  # (m, n)
        smooth = math.hypot(_width(self.good), _width(self.defective))

        def excess(by: float) -> float:
            return float(norm.cdf((apart + by) / smooth).mean() - truth)

        by: float = brentq(excess, -50, 50)
        return by


def _width(scores: Scores) -> float:
    """Of the smoothing: Silverman's rule, a little less, since scores have tails."""
    return 0.7 * 1.06 * float(scores.std()) * len(scores) ** -0.2


def wald_interval(labels: Sequence[int], scores: Sequence[float]) -> Interval:
    """Estimate and 1.96 of DeLong's deviations to both sides: what most tools print."""
    found = Measured.of(labels, scores)
    reach = _Z * math.sqrt(found.variance)
    return found.auroc - reach, found.auroc + reach


def from_counts(labels: Sequence[int], scores: Sequence[float]) -> Interval:
    """Newcombe's, which knows the AUROC and the number of images and nothing else."""
    m = sum(labels)
    return _newcombe(round(components(labels, scores).auroc, 12), len(labels) - m, m)


@lru_cache(maxsize=100_000)
def _newcombe(estimate: float, n: int, m: int) -> Interval:
    return newcombe_interval(estimate, n, m)


INTERVALS: dict[str, Callable[[Sequence[int], Sequence[float]], Interval]] = {
    "patchae": auroc_interval,
    "newcombe": from_counts,
    "wald": wald_interval,
}


def populations(results: Path) -> dict[str, Population]:
    """Of each class whose scores the bench has kept, from the first seed of `METHOD`."""
    classes = json.loads(results.read_text())["classes"]
    kept = json.loads(results.with_name("scores.json").read_text())
    found = {}
    for name, of_class in classes.items():
        runs = of_class["methods"].get(METHOD)
        if runs:
            labels = np.array(kept[name]["labels"], bool)
            scores = np.log(np.array(kept[name]["runs"][runs[0]["run"]]))
            found[name] = Population(scores[~labels], scores[labels])
    return found


def covered(population: Population, n: int, m: int, truth: float, draws: int) -> dict[str, Any]:
    """Of each interval: how often it held the truth, and how wide it was on average."""
    random = np.random.default_rng([n, m, round(1000 * truth)])
    labels, shift = [0] * n + [1] * m, population.shift(truth)
    held: dict[str, list[bool]] = {name: [] for name in INTERVALS}
    widths: dict[str, list[float]] = {name: [] for name in INTERVALS}
    for _ in range(draws):
        scores = population.draw(n, m, shift, random).tolist()
        for name, interval in INTERVALS.items():
            low, high = interval(labels, scores)
            held[name].append(low <= truth <= high)
            widths[name].append(min(high, 1) - max(low, 0))
    return {
        name: {"coverage": fmean(held[name]), "width": fmean(widths[name])} for name in INTERVALS
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, render; 0, or 2 where there are no scores."""
    parser = argparse.ArgumentParser(
        prog="make bench-gates", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=2_000, help="test sets of each kind (2000)")
    parser.add_argument("--scores", type=Path, default=RESULTS, help="results of bench.model")
    parser.add_argument("--results", type=Path, default=GATES, help="file to write")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to render into")
    asked = parser.parse_args(arguments)
    found = populations(asked.scores) if asked.scores.exists() else {}
    if not found:
        print(f"{asked.scores} has no scores of {METHOD}: make bench-model", file=sys.stderr)
        return 2
    rows = []
    for n, m in SIZES:
        for truth in TRUTHS:
            one = {c: covered(p, n, m, truth, asked.draws) for c, p in found.items()}
            rows.append({"good": n, "defective": m, "truth": truth, "classes": one})
            print(f"{n} and {m} images, AUROC {truth}", flush=True)
    write_json(asked.results, {"draws": asked.draws, "coverage": rows})
    render(page=asked.page, gates=asked.results)
    print(of_coverage(asked.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
