"""A model's life: what happened, and which version was live when, read off the ledger alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from patchae.registry.chain import Entry, Kind, follow
from patchae.report.life import Life, life_of, render

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOW = START + timedelta(days=30)
EMPTY = dict.fromkeys(
    ("reasons", "evidence", "policy", "champion", "scores_sha256", "champion_scores_sha256")
)


def rows(*told: tuple[int, Kind, dict[str, Any]]) -> list[Entry]:
    """Entries on days after the start."""
    found: list[Entry] = []
    for day, kind, body in told:
        time = (START + timedelta(days=day)).isoformat().replace("+00:00", "Z")
        head = found[-1].row() if found else None
        found.append(
            follow(head, time=time, kind=kind, model="l.a", actor="ann", body=body, host="h1")
        )
    return found


def registered(version: str) -> dict[str, Any]:
    return {"version": version, "run_id": "r", "training_key": "k", "lineage_sha256": "s"}


def verdict(version: str, outcome: str) -> dict[str, Any]:
    return {**EMPTY, "version": version, "outcome": outcome, "reasons": []}


def move(to: str, before: str | None, why: str, reason: str = "") -> dict[str, Any]:
    return {"to": to, "from": before, "why": why, "reason": reason, "verdict": None}


STORY = rows(
    (0, "registered", registered("1")),
    (0, "verdict", verdict("1", "promote")),
    (1, "move", move("1", None, "promoted")),
    (1, "confirmed", {"move": 3, "aliases": {"champion": "1"}}),
    (5, "registered", registered("2")),
    (5, "move", move("2", "1", "promoted")),
    (9, "move", move("1", "2", "rolled_back", "<b>false</b> alarms")),
    (12, "retired", {"version": "2", "reason": "old lamp"}),
)


def life(entries: Sequence[Entry] = STORY) -> Life:
    return life_of("l.a", entries, NOW)


def days(found: Life) -> list[tuple[str, int, int | None]]:
    return [
        (one.version, (one.since - START).days, (one.until - START).days if one.until else None)
        for one in found.spans
    ]


def test_which_version_was_live_when() -> None:
    assert days(life()) == [("1", 1, 5), ("2", 5, 9), ("1", 9, None)]
    assert life().champion == "1"


def test_what_happened_with_who_and_why_and_no_row_that_only_confirms() -> None:
    found = life().events
    assert [(one.what, one.version) for one in found] == [
        ("registered", "1"),
        ("judged", "1"),
        ("promoted", "1"),
        ("registered", "2"),
        ("promoted", "2"),
        ("rolled_back", "1"),
        ("retired", "2"),
    ]
    assert {(one.actor, one.host) for one in found} == {("ann", "h1")}
    assert found[-1].why == "old lamp"


def test_weights_that_were_let_go_are_an_event_with_a_mark_of_their_own() -> None:
    files = {"artifacts/model/model.safetensors": {"sha256": "c" * 64, "bytes": 7}}
    body = {"version": "3", "files": files, "policy": {}}
    found = life([*STORY, *rows((20, "registered", registered("3")), (21, "tidied", body))])
    assert (found.events[-1].what, found.events[-1].version) == ("tidied", "3")
    assert found.events[-1].why == "artifacts/model/model.safetensors"
    page, before = render(found, "index.html"), render(life(), "index.html")
    assert "Weights let go" in page
    marks = r'<path class="soft-line"'
    assert len(re.findall(marks, page)) == len(re.findall(marks, before)) + 1


def test_two_moves_to_the_same_version_are_one_time() -> None:
    again = rows((1, "move", move("1", None, "promoted")), (4, "move", move("1", "1", "adopted")))
    assert days(life(again)) == [("1", 1, None)]


def test_the_page_shows_every_event_and_escapes_reasons() -> None:
    page = render(life(), "index.html")
    assert page == render(life(), "index.html")
    assert "&lt;b&gt;false&lt;/b&gt; alarms" in page
    assert page.count('<tr role="row" class=') == len(life().events)
    assert 'href="index.html"' in page
    assert "<script" not in page


def test_the_drawing_has_a_bar_for_each_time_and_a_lane_for_each_version() -> None:
    drawn = re.search(r'<svg xmlns.*?class="timeline".*?</svg>', render(life(), "i"), re.DOTALL)
    assert drawn
    bars = re.findall(r'<path class="good"[^>]* d="M([\d.]+) [\d.]+L([\d.]+)', drawn.group())
    ends = sorted((float(start), float(end)) for start, end in bars)
    assert len(ends) == 3
    assert ends[0][1] == ends[1][0] < ends[1][1] == ends[2][0]  # no gap, no overlap
    assert len(re.findall(r">version \d<", drawn.group())) == 2


def test_many_versions_leave_a_drawing_that_shows_all_that_were_live() -> None:
    many = rows(
        *((0, "registered", registered(str(number))) for number in range(1, 90)),
        (1, "move", move("3", None, "promoted")),
    )
    page = render(life(many), "index.html")
    assert len(re.findall(r"<text[^>]*>version \d+<", page)) == 40
    assert ">version 3<" in page


def test_a_model_of_which_nothing_is_known_has_a_page_all_the_same() -> None:
    page = render(life([]), "index.html")
    assert "No version is live." in page
