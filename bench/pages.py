"""From the files of results to the pages: everything between two marks is made here."""

from __future__ import annotations

import json
from pathlib import Path

from bench.gate_pages import of_gates
from bench.methods import ROOT
from bench.tables import number, of_methods, significant, summary, table
from patchae.files import write_text

RESULTS = ROOT / "bench" / "results" / "model.json"
SCALE = ROOT / "bench" / "results" / "scale.json"
CHOICE = ROOT / "bench" / "results" / "choose.json"
DATA = ROOT / "bench" / "results" / "data.json"
GATES = ROOT / "bench" / "results" / "gates.json"
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"


def render(
    results: Path = RESULTS,
    page: Path = PAGE,
    scale: Path = SCALE,
    data: Path = DATA,
    gates: Path = GATES,
) -> str:
    """Write the page anew, and the first page with it; returns the tables of `results`."""
    write_text(page, rendered(page.read_text(), results, scale, data, gates))
    if page == PAGE:
        write_text(README, introduced(README.read_text(), results))
    return of_methods(results)


def introduced(page: str, results: Path = RESULTS) -> str:
    """The first page with the means of the methods that most people ask for."""
    return _between(page, "bench", summary(results))


def rendered(
    page: str,
    results: Path = RESULTS,
    scale: Path = SCALE,
    data: Path = DATA,
    gates: Path = GATES,
) -> str:
    """A page with what the files hold between its marks."""
    page = _between(page, "model", of_methods(results))
    page = _between(page, "choice", of_candidates(CHOICE))
    page = _between(page, "scale", of_sizes(scale))
    page = _between(page, "data", of_data(data))
    return _between(page, "gates", of_gates(gates))


def of_data(data: Path) -> str:
    """The tables of `bench.data`."""
    if not data.exists():
        return "Not measured yet: `make bench-data`.\n"
    found = json.loads(data.read_text())
    rows = [
        [
            step["step"],
            f"{step['patchae']:.1f}",
            f"{step['dvc']:.1f}",
            f"{step['patchae'] / step['dvc']:.2f}",
        ]
        for step in found["versioning"]
    ]
    versioned = table(["snapshot", "patchae s", "dvc add and push s", "ratio"], rows)
    count = found["images"]
    speeds = [
        ("decoding alone", "decoding"),
        ("manifest, cold", "cold_manifest"),
        ("manifest and validation, cold", "cold_all"),
        ("manifest, warm", "warm_manifest"),
        ("manifest and validation, warm", "warm_all"),
    ]
    read = table(
        ["reading", "images per second", "of decoding"],
        [
            [title, f"{count / found[key]:,.0f}", f"{found['decoding'] / found[key]:.2f}"]
            for title, key in speeds
        ],
    )
    what = (
        f"{count:,} rendered images of {found['bytes'] / count / 1e3:.0f} kB,"
        f" {found['processes']} processes."
    )
    return f"{what}\n\n{versioned}\n\n{read}\n"


def of_candidates(choice: Path) -> str:
    """The table of `bench.choose`, the best candidate first."""
    if not choice.exists():
        return "Not measured yet: `python -m bench.choose FOLDER`.\n"
    found = json.loads(choice.read_text())
    classes = sorted({name for one in found.values() for name in one["classes"]})
    rows = [
        [name, number(one["mean"], 4), *(number(one["classes"].get(c), 4) for c in classes)]
        for name, one in sorted(found.items(), key=lambda item: -item[1]["mean"])
    ]
    head = ["candidate", "mean", *classes]
    return table(head, rows) + "\n"


def of_sizes(scale: Path) -> str:
    """The table of cost by number of training images, as Markdown."""
    if not scale.exists():
        return "Not measured yet: `make bench-scale DATA=folder`.\n"
    content = json.loads(scale.read_text())
    rows = [
        [
            f"{run['images']:,}",
            significant(run["training_seconds"]),
            f"{run['peak_memory_mb']:,.0f}",
            significant(run["ms_batch1"]),
            significant(run["ms_batch16"]),
            significant(run["model_bytes"] / 1e6),
        ]
        for run in content["runs"]
    ]
    last = content["runs"][-1]
    head = ["training images", "training s", "peak MB", "ms per image, 1", "ms per image, 16",
            "model MB"]  # fmt: skip
    where = (
        f"Class `{content['class']}` at {content['image_size']} px on {last['device']},"
        f" {last['threads']} threads, torch {last['versions']['torch']}."
    )
    return f"{where}\n\n{table(head, rows)}\n"


def _between(page: str, mark: str, text: str) -> str:
    begin, end = f"<!-- {mark}:begin -->\n", f"<!-- {mark}:end -->"
    head, rest = page.split(begin)
    return head + begin + text + end + rest.split(end)[1]
