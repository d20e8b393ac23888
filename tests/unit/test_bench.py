"""Numbers on the pages are those in the files that the benchmarks wrote."""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from bench import pages
from patchae.config import Training
from tests.support import ROOT


def test_the_page_shows_what_the_files_hold() -> None:
    page = pages.PAGE.read_text()
    assert pages.rendered(page) == page, "make bench-render"
    first = pages.README.read_text()
    assert pages.introduced(first) == first, "make bench-render"


def test_the_page_of_the_model_sends_to_the_benchmarks() -> None:
    assert "](benchmarks.md)" in (ROOT / "docs" / "model.md").read_text()


def test_what_was_chosen_is_what_is_measured() -> None:
    if not pages.CHOICE.exists():
        pytest.skip("nothing chosen yet: python -m bench.choose FOLDER")
    found = json.loads(pages.CHOICE.read_text())
    assert found["balanced"]["overrides"] == {}, "the defaults are a candidate"
    for name, one in found.items():
        Training(**one["overrides"])
        assert one["mean"] == pytest.approx(fmean(one["classes"].values())), name
