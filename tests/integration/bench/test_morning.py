"""What is said about the time of the site is what was measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.morning import DAYS, RESULTS, decide
from patchae.project import Project
from patchae.report.traffic import traffic
from tests.unit.test_docs import ROOT


def test_the_page_names_the_measured_figures() -> None:
    told = json.loads(RESULTS.read_text())
    text = " ".join((ROOT / "docs" / "page.md").read_text().split())
    assert (
        f"For {told['lines']} lines with {told['models']} models and {told['decisions']:,}"
        f" decisions in 7 days, `patchae report` took {told['median_s']} s"
    ) in text


def test_the_decisions_lie_in_the_days_that_the_site_looks_at(tmp_path: Path) -> None:
    project = Project(tmp_path)
    made = decide(project, ["l.a", "l.b"], 3)
    found = traffic(project, datetime.now(UTC) + timedelta(seconds=1))
    assert made == 2 * 3 * DAYS
    # Seconds before midnight the oldest ones may lie on the day before the first.
    assert made - 6 <= sum(one.images for one in found.values()) <= made
