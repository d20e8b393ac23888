"""Moves that fit every digest and rest on a verdict that no longer carries them.

The ledger is that of `build(folder, proven=True)`: row 7 is the verdict on version 2, beside
champion 1, row 8 moves the alias and row 9 confirms it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from patchae.config import Gates
from patchae.files import canonical_json
from patchae.registry.chain import Row
from patchae.registry.evidence import Evidence
from patchae.registry.gates import judge
from patchae.registry.verdict import Verdict
from tests.support.lineage.forging import Rows, find, reworded


def judged_again(rows: Rows) -> Rows:
    """Other gates reject the version before it is moved to, on the verdict from before."""
    verdict, at = rows[find(rows, "verdict")], find(rows, "move")
    body = json.loads(verdict.body)
    gates = Gates(**{**body["policy"], "max_ms_per_image": 0.001})
    given = judge(Evidence.from_dict(body["evidence"]), gates)
    assert given.outcome == "reject"
    again = reworded(verdict, **_told(given), policy=gates.model_dump(mode="json"))
    confirmed = reworded(rows[at + 1], move=rows[at].seq + 1)
    return [*rows[:at], again, rows[at], confirmed, *rows[at + 2 :]]


def used_twice(rows: Rows) -> Rows:
    """After a rollback the version becomes champion again, on the verdict that was used up."""
    move, last = rows[find(rows, "move")], rows[-1]
    again = {"from": "1", "to": "2", "why": "promoted"}
    back = {"from": "2", "to": "1", "why": "rolled_back", "verdict": None, "reason": "worse"}
    made: Rows = []
    for body, aliases in (
        (back, {"champion": "1"}),
        (again, {"champion": "2", "previous": "1"}),
    ):
        made.append(replace(reworded(move, **body), time=last.time))
        seq = last.seq + len(made)
        made.append(_confirmed(last, move=seq, aliases=aliases))
    return [*rows, *made]


def _told(given: Verdict) -> dict[str, Any]:
    body = given.to_body("2", scores_sha256="")
    return {key: body[key] for key in ("outcome", "reasons", "findings")}


def _confirmed(last: Row, **body: Any) -> Row:
    return replace(last, kind="confirmed", body=canonical_json(body))
