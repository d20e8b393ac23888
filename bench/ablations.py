"""What the parts of the model add: the same with one of them taken out, beside the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

WHOLE = "patch-ae"
WITHOUT = ("one-network", "as-is", "frozen", "no-defects", "no-encoder", "whole-map")
"""Methods of `bench.methods` that differ from the whole in one part, or in what teaches it."""


def of_ablations(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]] | None:
    """Head and rows of a table of differences in image AUROC; None where there are none to show.

    Runs of the same seed are compared, so that what chance gives both goes out of the difference.
    """
    names = list(content["classes"])
    rows = []
    for method in WITHOUT:
        by_class = {
            name: _differences(found["methods"], method)
            for name, found in content["classes"].items()
        }
        if any(by_class.values()):
            told = [_signed(fmean(by_class[n].values())) if by_class[n] else "-" for n in names]
            rows.append([content["titles"][method], _mean(list(by_class.values())), *told])
    return (["method", "mean (lowest to highest seed)", *names], rows) if rows else None


def _differences(
    methods: Mapping[str, Sequence[Mapping[str, Any]]], method: str
) -> dict[int, float]:
    """By seed, the image AUROC of a method less that of the whole."""
    whole, part = (
        {run["seed"]: run["image_auroc"] for run in methods.get(name, ())}
        for name in (WHOLE, method)
    )
    return {seed: part[seed] - whole[seed] for seed in part if seed in whole}


def _mean(by_class: Sequence[Mapping[int, float]]) -> str:
    """Over the classes, where all have it, and how it differs from seed to seed."""
    seeds = set.intersection(*(set(found) for found in by_class))
    if not seeds:
        return "-"
    by_seed = [fmean(found[seed] for found in by_class) for seed in sorted(seeds)]
    spread = f" ({_signed(min(by_seed))} to {_signed(max(by_seed))})" if len(seeds) > 1 else ""
    return f"{_signed(fmean(by_seed))}{spread}"


def _signed(value: float) -> str:
    return f"{value:+.4f}"
