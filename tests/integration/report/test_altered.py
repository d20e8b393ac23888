"""A row of the ledger that somebody altered: the pages that say so are made, whatever it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patchae.config import Line
from patchae.lineage.bundle.content import Sources
from patchae.lineage.ledger_view import LedgerView
from patchae.lineage.material import Audit
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.tracking import Tracking
from patchae.report import bundle_page, life, page
from patchae.report.collect import line_report
from patchae.report.morning import plant
from patchae.report.rows import readable
from patchae.report.start import ledger_page, start_page
from tests.support import clean
from tests.support.plant import Plant
from tests.unit.report.test_life import NOW, move, registered, rows, verdict
from tests.unit.report.test_page import Page

FAULT = "row 3: content changed; its digest is no longer that of its fields"
ROWS = [
    replace(row, model="hall.disc")
    for row in rows(
        (0, "registered", registered("1")),
        (0, "verdict", verdict("1", "promote")),
        (1, "move", move("1", None, "promoted")),
        (1, "confirmed", {"move": 3, "aliases": {"champion": "1"}}),
        (2, "repair", {"move": 3, "why": "put_back", "found": {}, "set": {}, "reason": "moved"}),
        (3, "retired", {"version": "0", "reason": "old lamp"}),
        (4, "tidied", {"version": "2", "files": {"model": {}}, "policy": {}}),
        (5, "verdict", verdict("3", "reject")),
    )
]
ODD: tuple[Any, ...] = (None, 10**400, "odd", ["a", 1], {"<b>": [None]})


class Hall:
    """A project of one line with one class, whose ledger is what a test says."""

    def __init__(self, root: Path) -> None:
        self.project: Project
        self.line: Line
        made = Plant(root)
        self.project, self.line = made.project, made.line("hall", "disc")
        self.tracking: Tracking = made.tracking()

    def pages(self, entries: list[Entry]) -> dict[str, Page]:
        """Every page that shows rows."""
        book = LedgerView(tuple(entries), (FAULT,), ())
        found = plant(self.project, book, NOW)
        report = line_report(self.project, self.tracking, self.line, ["disc"], book=book)
        sources = Sources(
            audit=Audit("hall.disc", "1", ()),
            artifacts=self.project.root / "none",
            rows=[row.row() for row in entries],
            signatures={},
            model_folder=None,
            images=None,
        )
        made = {
            "start": start_page(found),
            "ledger": ledger_page(found, entries),
            "life": life.render(life.life_of("hall.disc", entries, NOW), "index.html"),
            "line": page.render(report),
            "bundle": bundle_page.render(sources),
        }
        return {name: Page(html) for name, html in made.items()}


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        yield Hall(tmp_path_factory.mktemp("hall") / "plant")


def altered(place: int, key: str, value: Any) -> list[Entry]:
    """The rows, one of which says something else."""
    row = ROWS[place]
    return [
        *ROWS[:place],
        replace(row, body={**row.body, key: value}),
        *ROWS[place + 1 :],
    ]


@pytest.mark.parametrize(
    ("place", "key"), [(place, key) for place, row in enumerate(ROWS) for key in row.body]
)
def test_whatever_an_altered_row_says_every_page_is_made(hall: Hall, place: int, key: str) -> None:
    for value in ODD:
        made = hall.pages(altered(place, key, value))
        assert FAULT in made["start"].words
        assert FAULT in made["ledger"].words


def test_what_it_says_is_shown_as_it_stands(hall: Hall) -> None:
    made = hall.pages(altered(2, "why", "moved_by_night"))
    for name in ("ledger", "life", "line", "bundle"):
        assert "moved by night" in made[name].words, name
    made = hall.pages(altered(7, "outcome", "approve"))
    assert "Version 3 has the verdict 'approve': its reasons cannot be read" in made["start"].words
    assert "Version 3 has the verdict 'approve'. Its evidence cannot be read." in made["line"].words
    assert "Not proven" in made["line"].words
    assert "null" in hall.pages(altered(6, "files", None))["ledger"].words


def test_rows_that_nobody_altered_stay_as_they_are() -> None:
    assert readable(ROWS) == ROWS
    odd = readable(altered(2, "to", ["1"]))
    assert readable(odd) == odd


def test_a_hold_that_was_promoted_over_needs_no_attention(hall: Hall) -> None:
    told = rows(
        (0, "verdict", verdict("4", "hold")),
        (1, "move", move("4", None, "overridden", "seen by ann")),
        (2, "verdict", verdict("4", "hold")),
    )
    entries = [replace(row, model="hall.disc") for row in told]
    after, again = (
        plant(hall.project, LedgerView(tuple(found), (), ()), NOW).models[0]
        for found in (entries[:2], entries)
    )
    assert after.needs == ()
    assert "Version 4 was put on hold, yet is deployed" in again.needs[0].sentence


def test_a_version_whose_evidence_is_gone_keeps_its_verdict(hall: Hall) -> None:
    """MLflow has no version 3: what was decided on it stands in the ledger all the same."""
    book = LedgerView(tuple(ROWS), (), ())
    report = line_report(hall.project, hall.tracking, hall.line, ["disc"], book=book)
    assert report.classes[0].state == "rejected"
    shown = Page(page.render(report))
    assert (
        "Version 3 was rejected. Its evidence cannot be read. Version 1 is deployed." in shown.words
    )
    assert "No version has been judged yet" not in shown.words
    assert "nothing to judge yet" not in shown.words
