"""What the methods found and cost, as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

from bench.ablations import WHOLE, of_ablations
from bench.methods import REFERENCE
from patchae.intervals import newcombe_interval

Row = dict[str, Any]
"""What one method gives on one class, or on all, over its runs, see `summed`."""

_NUMBERS = (
    "image_auroc", "pixel_auroc", "aupro", "training_seconds", "ms_batch1", "ms_batch16",
    "model_bytes", "peak_memory_mb", "imports_memory_mb", "gpu_peak_mb",
)  # fmt: skip
_TIMES = ("training_seconds", "ms_batch1", "ms_batch16")
_COSTS = ("peak_memory_mb", "imports_memory_mb", "gpu_peak_mb")
_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("image AUROC", lambda r: number(r["image_auroc"], 4)),
    ("95 % interval", lambda r: f"{r['low']:.3f} to {r['high']:.3f}" if "low" in r else "-"),
    ("pixel AUROC", lambda r: number(r["pixel_auroc"], 4)),
    ("AUPRO", lambda r: number(r["aupro"], 4)),
    ("training s", lambda r: significant(r["training_seconds"])),
    ("ms per image, 1", lambda r: significant(r["ms_batch1"])),
    ("ms per image, 16", lambda r: significant(r["ms_batch16"])),
    ("model MB", lambda r: significant(r["model_bytes"] / 1e6)),
    ("peak MB (imports)", lambda r: f"{r['peak_memory_mb']:.0f} ({r['imports_memory_mb']:.0f})"),
    ("GPU MB", lambda r: number(r["gpu_peak_mb"], 0)),
    ("seeds", lambda r: r["seeds"]),
)
INTRODUCED = ("patch-ae", "fast", "best", "patchcore", "padim", "autoencoder")
"""Methods that the first page tells of."""
_RATIOS = {
    "training time": "training_seconds",
    "time per image, 1": "ms_batch1",
    "time per image, 16": "ms_batch16",
    "size of the model": "model_bytes",
    "peak memory": "peak_memory_mb",
}


def of_methods(results: Path) -> str:
    """The tables of the methods, as Markdown."""
    if not results.exists():
        return "Not measured yet: `make bench-model DATA=folder`.\n"
    content = json.loads(results.read_text())
    rows = {
        name: {method: summed(runs, found) for method, runs in found["methods"].items() if runs}
        for name, found in content["classes"].items()
    }
    # In the order of `bench.methods`, which JSON with sorted keys does not keep.
    titles = {method: content["titles"][method] for method in content["methods"]}
    parts = [machine(content)]
    means = {
        method: mean([of_class[method] for of_class in rows.values()])
        for method in titles
        if all(method in of_class for of_class in rows.values())
    }
    if means:
        parts += [f"### Mean over {', '.join(rows)}", methods_table(means, titles)]
    if parted := of_ablations(content):
        parts += [f"### {titles[WHOLE]} without one of its parts", table(*parted)]
    if shares := ratios(rows):
        parts += [f"### Relative to {titles[REFERENCE]}", ratio_table(shares, titles)]
    for name, of_class in rows.items():
        found = content["classes"][name]
        size = (
            f"{found['train']} images to train on; test: {found['test_good']} good,"
            f" {found['test_defective']} defective."
        )
        parts += [f"### {name}", size, methods_table(of_class, titles)]
    return "\n\n".join(parts) + "\n"


def summary(results: Path) -> str:
    """Means over all classes of the presets and of what they are compared with, as Markdown."""
    if not results.exists():
        return "Not measured yet: `make bench-model DATA=folder`.\n"
    content = json.loads(results.read_text())
    found = [one["methods"] for one in content["classes"].values()]
    rows = []
    for method in INTRODUCED:
        if not all(runs.get(method) for runs in found):
            continue
        row = mean([summed(one["methods"][method], one) for one in content["classes"].values()])
        rows.append(
            [
                content["titles"][method],
                number(row["image_auroc"], 3),
                number(row["pixel_auroc"], 3),
                significant(row["training_seconds"]),
                significant(row["ms_batch1"]),
                row["seeds"],
            ]
        )
    head = ["method", "image AUROC", "pixel AUROC", "training s", "ms per image", "seeds"]
    return table(head, rows) + "\n"


def machine(content: dict[str, Any]) -> str:
    """Where and with what it was measured."""
    runs = [
        run
        for found in content["classes"].values()
        for of_method in found["methods"].values()
        for run in of_method
    ]
    alone = [run for run in runs if run["alone"]] or runs
    where = sorted({f"{run['device']}, {run['threads']} threads" for run in alone})
    torch = sorted({f"torch {run['versions']['torch']}" for run in runs})
    rivals = sorted(
        {f"anomalib {r['notes']['anomalib']}" for r in runs if "anomalib" in r["notes"]}
    )
    size = f"{content['image_size']} x {content['image_size']} px"
    return f"Measured at {size} on {'; '.join(where)}; {', '.join([*torch, *rivals])}."


def summed(runs: Sequence[Row], found: dict[str, Any]) -> Row:
    """Means over the seeds. Times and memory are of those that ran alone; of times it is the
    shortest, which the rest of the machine disturbed least.

    The interval is that of the mean AUROC on this many test images.
    """
    alone = [run for run in runs if run["alone"]] or runs
    row = {key: _mean(run[key] for run in runs) for key in _NUMBERS}
    row |= {key: _mean(run[key] for run in alone) for key in _COSTS}
    row |= {key: min(run[key] for run in alone) for key in _TIMES}
    values = [run["image_auroc"] for run in runs]
    counts = found["test_good"], found["test_defective"]
    row["low"], row["high"] = newcombe_interval(fmean(values), *counts)
    spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
    return {**row, "seeds": f"{len(values)}{spread}"}


def mean(rows: Sequence[Row]) -> Row:
    """Means over classes, each weighing the same; of those that have the number."""
    seeds = sorted({int(row["seeds"].split()[0]) for row in rows})
    text = "-".join(str(count) for count in {seeds[0]: 0, seeds[-1]: 0})
    return {**{key: _mean(row[key] for row in rows) for key in _NUMBERS}, "seeds": text}


def ratios(rows: dict[str, dict[str, Row]]) -> dict[str, dict[str, float]]:
    """Each method's cost over the reference's: the geometric mean over the classes of both."""
    shared: dict[str, list[tuple[Row, Row]]] = {}
    for of_class in rows.values():
        for method, row in of_class.items():
            if REFERENCE in of_class:
                shared.setdefault(method, []).append((row, of_class[REFERENCE]))
    return {
        method: {
            title: geometric_mean([row[key] / other[key] for row, other in pairs])
            for title, key in _RATIOS.items()
        }
        for method, pairs in shared.items()
    }


def methods_table(rows: dict[str, Row], titles: dict[str, str]) -> str:
    """One row per method; the columns of the GPU only where there was one."""
    columns = [(t, show) for t, show in _COLUMNS if t != "GPU MB" or _any(rows, "gpu_peak_mb")]
    return table(
        ["method", *(title for title, _ in columns)],
        [
            [titles[method], *(show(rows[method]) for _, show in columns)]
            for method in titles
            if method in rows
        ],
    )


def ratio_table(shares: dict[str, dict[str, float]], titles: dict[str, str]) -> str:
    """One row per method; below 1 is less than the reference."""
    return table(
        ["method", *_RATIOS],
        [
            [titles[method], *(significant(value) for value in shares[method].values())]
            for method in titles
            if method in shares
        ],
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def significant(value: float) -> str:
    """Three digits that count, and every digit before the point."""
    whole = math.floor(math.log10(value)) + 1 if value > 0 else 1
    return f"{value:,.{max(0, 3 - whole)}f}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _any(rows: dict[str, Row], key: str) -> bool:
    return any(row[key] is not None for row in rows.values())
