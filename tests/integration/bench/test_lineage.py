"""Trace, history and audit on a small plant, beside a scan through MLflow."""

from __future__ import annotations

import json
from pathlib import Path

from bench import lineage
from bench.product_pages import of_lineage
from tests.support.bench.fixtures import MARKS


def test_every_command_is_measured_and_rendered(tmp_path: Path) -> None:
    results, page = tmp_path / "lineage.json", tmp_path / "page.md"
    page.write_text(MARKS)
    places = ["--folder", str(tmp_path), "--results", str(results), "--page", str(page)]
    # It stops by itself when an audit is broken, or the scan and the trace differ.
    assert lineage.main(["--small", "--repeats", "1", *places]) == 0
    found = json.loads(results.read_text())
    assert (found["model_versions"], found["data_versions"], found["asked"]) == (100, 20, 200)
    assert found["rows"] >= 4 * 50
    assert found["affected"] > 0
    assert all(took > 0 for every in found["seconds"].values() for took in every)
    assert of_lineage(results) in page.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
