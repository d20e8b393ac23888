"""Numbers on the pages are those in the files that the benchmarks wrote."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from patchae.model import memory

ROOT = Path(__file__).parents[1]


def test_the_page_shows_the_results_of_the_benchmark() -> None:
    bench = runpy.run_path(str(ROOT / "bench" / "model.py"))
    if not bench["RESULTS"].exists():
        pytest.skip("no results yet: make bench DATA=folder")
    page = (ROOT / "docs" / "model.md").read_text()
    assert bench["rendered"](page, json.loads(bench["RESULTS"].read_text())) == page


def test_the_constants_of_the_memory_are_those_that_were_chosen() -> None:
    chosen = json.loads((ROOT / "bench" / "results" / "choose.json").read_text())
    assert chosen["best"] == f"{memory.SHRINKAGE} {memory.FLOOR}"
    assert chosen["best"] == max(chosen["mean"], key=chosen["mean"].get)
