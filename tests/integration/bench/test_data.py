"""Versioning, reading and checking beside plain DVC and plain decoding, at a tiny size."""

from __future__ import annotations

import json
from pathlib import Path

from bench import data
from bench.product_pages import of_data
from tests.support.bench.fixtures import MARKS


def test_every_step_is_measured_and_rendered(tmp_path: Path) -> None:
    results, page = tmp_path / "data.json", tmp_path / "page.md"
    page.write_text(MARKS)
    places = ["--folder", str(tmp_path), "--results", str(results), "--page", str(page)]
    assert data.main(["--images", "80", *places]) == 0
    found = json.loads(results.read_text())
    assert (found["images"], [step["step"] for step in found["versioning"]]) == (
        80,
        ["first", "100 more", "nothing new"],
    )
    assert 40_000 < found["bytes"] / 80 < 80_000
    assert all(found[key] > 0 for key in ("decoding", "cold_all", "warm_all", "warm_manifest"))
    assert of_data(results) in page.read_text()
    assert "| nothing new |" in page.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
