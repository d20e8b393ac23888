"""Scores with a known AUROC: those that the bench measured, smoothed and moved.

Nobody knows the true AUROC of a real model. The scores of a real class, smoothed by a kernel, are a
population whose AUROC can be computed; the defective ones are moved until it is the one asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

METHOD = "patch-ae"
RIVALS = (METHOD, "fast", "best", "patchcore")
"""Challengers of the first seed of `METHOD`: its other seeds, and other methods."""
Scores = NDArray[np.float64]


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
    return float(scores.std()) * _bandwidth(scores)


def _bandwidth(scores: Scores) -> float:
    return 0.7 * 1.06 * len(scores) ** -0.2


@dataclass(frozen=True)
class Pair:
    """Scores (images, 2) of the same images under a challenger and under the champion."""

    good: Scores
    defective: Scores

    def draw(self, n: int, m: int, shifts: Scores, random: np.random.Generator) -> Scores:
        """n good and m defective images (n + m, 2); the smoothing keeps what both share."""
        parts = [(self.good, n, np.zeros(2)), (self.defective, m, shifts)]
        return np.concatenate(
            [
                random.choice(scores, size) + by + random.standard_normal((size, 2)) @ _root(scores)
                for scores, size, by in parts
            ]
        )

    def shifts(self, challenger: float, champion: float) -> Scores:
        """How far the defective scores must move for these two AUROC."""
        sides = [
            Population(self.good[:, side], self.defective[:, side]).shift(truth)
            for side, truth in enumerate((challenger, champion))
        ]
        return np.array(sides)


def _root(scores: Scores) -> Scores:
    """Root of the covariance (2, 2) of the smoothing, as wide to each side as `_width`."""
    values, vectors = np.linalg.eigh(np.cov(scores.T, ddof=0) * _bandwidth(scores) ** 2)
    root: Scores = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    return root


def populations(results: Path) -> dict[str, Population]:
    """Of each class whose scores the bench has kept, from the first seed of `METHOD`."""
    return {
        name: Population(scores[0][~labels], scores[0][labels])
        for name, labels, _, scores in _kept(results)
    }


def pairs(results: Path) -> dict[str, Pair]:
    """Of each class whose scores the bench has kept, every challenger beside the champion."""
    return {
        f"{name}, {title}": Pair(both[~labels], both[labels])
        for name, labels, titles, scores in _kept(results)
        for title, challenger in zip(titles[1:], scores[1:], strict=True)
        for both in [np.stack([challenger, scores[0]], axis=1)]
    }


def _kept(results: Path) -> Iterator[tuple[str, NDArray[np.bool_], list[str], list[Scores]]]:
    """Class, labels, and name and scores of each run of `RIVALS`, one of `METHOD` the first."""
    classes = json.loads(results.read_text())["classes"]
    kept = json.loads(results.with_name("scores.json").read_text())
    for name, of_class in classes.items():
        runs = [
            (f"{method}, seed {run['seed']}", np.log(np.array(kept[name]["runs"][run["run"]])))
            for method in RIVALS
            for run in of_class["methods"].get(method, [])
            if run["run"] in kept[name]["runs"]
        ]
        if runs and runs[0][0].startswith(METHOD):
            titles, scores = (list(column) for column in zip(*runs, strict=True))
            yield name, np.array(kept[name]["labels"], bool), titles, scores
