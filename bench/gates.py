"""How often the interval of an AUROC holds the truth, and how often the gate is wrong.

    make bench-gates [ARGS="--draws 2000"]

Populations are made whose AUROC is known (`bench.populations`) from the scores that the bench
measured on each class (bench/results/scores.json). From these, test sets of several sizes are drawn
again and again; each interval is asked whether it holds the truth, and each gate (`bench.deciding`)
what it decides. All see the same draws.

Writes bench/results/gates.json, docs/benchmarks.md and the charts beside it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

import numpy as np

from bench.deciding import MARGIN, simulated
from bench.gate_pages import of_gates, write_charts
from bench.pages import GATES, PAGE, RESULTS, render
from bench.populations import METHOD, Population, pairs, populations
from patchae.evidence.auroc import Measured, auroc_interval, components
from patchae.files import write_json
from patchae.intervals import newcombe_interval

SIZES = ((12, 30), (20, 63), (60, 40), (200, 200))
"""Good and defective test images; the first two are MVTec AD's toothbrush and bottle."""
TRUTHS = (0.9, 0.98, 0.995)
_Z = NormalDist().inv_cdf(0.975)
Interval = tuple[float, float]


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


def covered(population: Population, n: int, m: int, truth: float, draws: int) -> dict[str, Any]:
    """Of each interval: how often it held the truth, on which side it missed it, and its width."""
    random = np.random.default_rng([n, m, round(1000 * truth)])
    labels, shift = [0] * n + [1] * m, population.shift(truth)
    above: dict[str, list[bool]] = {name: [] for name in INTERVALS}
    below: dict[str, list[bool]] = {name: [] for name in INTERVALS}
    widths: dict[str, list[float]] = {name: [] for name in INTERVALS}
    for _ in range(draws):
        scores = population.draw(n, m, shift, random).tolist()
        for name, interval in INTERVALS.items():
            low, high = interval(labels, scores)
            above[name].append(low > truth)
            below[name].append(high < truth)
            widths[name].append(min(high, 1) - max(low, 0))
    return {
        name: {
            "coverage": 1 - fmean(above[name]) - fmean(below[name]),
            "above": fmean(above[name]),
            "below": fmean(below[name]),
            "width": fmean(widths[name]),
        }
        for name in INTERVALS
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
    decisions = []
    of_pairs = pairs(asked.scores)
    for one in simulated(of_pairs, SIZES, TRUTHS, max(1, asked.draws // 5)):
        decisions.append(one)
        print(f"{one['good']} and {one['defective']} images, AUROC {one['champion']},", end=" ")
        print(f"difference {one['difference']:+g}", flush=True)
    write_json(
        asked.results,
        {
            "draws": asked.draws,
            "coverage": rows,
            "margin": MARGIN,
            "pairs": list(of_pairs),
            "decisions": decisions,
        },
    )
    render(page=asked.page, gates=asked.results)
    write_charts(asked.results, asked.page.parent)
    print(of_gates(asked.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
