"""From the files of results to the pages: everything between two marks is made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.gate_pages import of_gates
from bench.methods import ROOT
from bench.product_pages import (
    of_candidates,
    of_data,
    of_drift,
    of_endurance,
    of_lineage,
    of_scale,
    of_serving,
    of_sizes,
)
from bench.tables import of_methods, summary
from patchae.files import write_text

_FOLDER = ROOT / "bench" / "results"
RESULTS = _FOLDER / "model.json"
CHOICE = _FOLDER / "choose.json"
GROWTH = _FOLDER / "growth.json"
SCALE = _FOLDER / "scale.json"
DATA = _FOLDER / "data.json"
GATES = _FOLDER / "gates.json"
LINEAGE = _FOLDER / "lineage.json"
SERVING = _FOLDER / "serving.json"
ENDURANCE = _FOLDER / "endurance.json"
DRIFT = _FOLDER / "drift.json"
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"

SECTIONS: dict[str, tuple[Path, Callable[[Path], str]]] = {
    "model": (RESULTS, of_methods),
    "choice": (CHOICE, of_candidates),
    "growth": (GROWTH, of_sizes),
    "scale": (SCALE, of_scale),
    "data": (DATA, of_data),
    "gates": (GATES, of_gates),
    "lineage": (LINEAGE, of_lineage),
    "serving": (SERVING, of_serving),
    "endurance": (ENDURANCE, of_endurance),
    "drift": (DRIFT, of_drift),
}
"""By the mark in the page: the file of results, and what makes text of it."""


def render(page: Path = PAGE, **files: Path) -> None:
    """Write the page anew, and the first page with it.

    Args:
        page: the page.
        files: results by their mark, where they are not at their own place.
    """
    write_text(page, rendered(page.read_text(), **files))
    if page == PAGE:
        write_text(README, introduced(README.read_text()))


def introduced(page: str, results: Path = RESULTS) -> str:
    """The first page with the means of the methods that most people ask for."""
    return between(page, "bench", summary(results))


def rendered(page: str, **files: Path) -> str:
    """A page with what the files hold between its marks; `files` as for `render`."""
    for mark, (file, write) in SECTIONS.items():
        page = between(page, mark, write(files.get(mark, file)))
    return page


def between(page: str, mark: str, text: str) -> str:
    """A page with a text between two of its marks."""
    begin, end = f"<!-- {mark}:begin -->\n", f"<!-- {mark}:end -->"
    head, rest = page.split(begin)
    return head + begin + text + end + rest.split(end)[1]
