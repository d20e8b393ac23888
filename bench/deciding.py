"""How often a gate promotes, holds and rejects models whose true AUROC is known.

Three gates see the same draws of a challenger and a champion on the same images:

    patchae      the gate as it is, its limits held against intervals
    point        the challenger's AUROC is not below the champion's
    threshold    the challenger's AUROC is at least `min_image_auroc`; the champion is not asked

and, of `patchae`, the gate for a first model, against which `threshold` is to be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from bench.populations import Pair
from patchae.config import Gates
from patchae.evidence.auroc import Measured
from patchae.evidence.paired import Paired
from patchae.registry.evidence import Alarms, Evidence, Rival
from patchae.registry.gates import judge

FIRST = Gates(max_false_alarms=1)
MARGIN = FIRST.max_drop
DIFFERENCES = (-2 * MARGIN, -MARGIN, 0.0)
"""True AUROC of the challenger less the champion's."""
BESIDE = Gates(min_image_auroc=0, max_false_alarms=1)
"""The comparison alone, so that its errors are not hidden behind those of the minimum."""
OUTCOMES = ("promote", "hold", "reject")


def evidence(paired: Paired | None, one: Measured) -> Evidence:
    """Evidence that says nothing but the AUROC of one model, or of two."""
    champion = None
    if paired is not None:
        champion = Rival(
            version="1",
            paired=paired,
            image_auroc_then=None,
            same_images=None,
            data_recorded=None,
            problem="",
        )
    return Evidence(
        n_good=one.n_good,
        n_defect=one.n_defect,
        image_auroc=one,
        false_alarms=Alarms(0, one.n_good),
        recall={},
        ms_per_image=None,
        validation_passed=True,
        lineage_complete=True,
        data_recorded=None,
        champion=champion,
        seeds={},
    )


def outcomes(paired: Paired) -> dict[str, str]:
    """What each gate says of one draw."""
    own, rival = paired.challenger.auroc, paired.champion.auroc
    enough = own >= FIRST.min_image_auroc
    return {
        "patchae": judge(evidence(paired, paired.challenger), BESIDE).outcome,
        "first": judge(evidence(None, paired.challenger), FIRST).outcome,
        "point": "promote" if own >= rival else "reject",
        "threshold": "promote" if enough else "reject",
    }


def decided(
    pair: Pair, images: tuple[int, int], truth: float, difference: float, draws: int
) -> dict[str, dict[str, float]]:
    """Of each gate, the share of each outcome over draws of so many good and defective images."""
    n, m = images
    random = np.random.default_rng([n, m, round(1000 * truth), round(1000 * (1 + difference))])
    labels, shifts = [0] * n + [1] * m, pair.shifts(truth + difference, truth)
    counts: dict[str, Counter[str]] = {}
    for _ in range(draws):
        scores = pair.draw(n, m, shifts, random)
        paired = Paired.of(labels, scores[:, 0].tolist(), scores[:, 1].tolist())
        for gate, outcome in outcomes(paired).items():
            counts.setdefault(gate, Counter())[outcome] += 1
    return {
        gate: {outcome: count[outcome] / draws for outcome in OUTCOMES}
        for gate, count in counts.items()
    }


def simulated(
    pairs: Mapping[str, Pair],
    sizes: tuple[tuple[int, int], ...],
    truths: tuple[float, ...],
    draws: int,
) -> Iterator[dict[str, Any]]:
    """One row per number of images, true AUROC of the champion and difference."""
    for n, m in sizes:
        for truth in truths:
            for difference in DIFFERENCES:
                of = {
                    name: decided(pair, (n, m), truth, difference, draws)
                    for name, pair in pairs.items()
                }
                gates = next(iter(of.values()))
                yield {
                    "good": n,
                    "defective": m,
                    "champion": truth,
                    "difference": difference,
                    "gates": {
                        gate: {
                            outcome: fmean(one[gate][outcome] for one in of.values())
                            for outcome in OUTCOMES
                        }
                        for gate in gates
                    },
                    "highest": max(one["patchae"]["promote"] for one in of.values()),
                }
