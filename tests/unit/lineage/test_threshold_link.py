"""The threshold in use is audited: by the ledger's rows, by calibration, by what MLflow shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from patchae.files import write_json
from patchae.lineage.audit import audit
from patchae.lineage.bundle import verify
from patchae.registry.ledger import Ledger
from patchae.registry.loading import FACTS
from patchae.registry.threshold import move_threshold
from tests.support.lineage.builder import build
from tests.support.lineage.built import Built
from tests.support.lineage.bundles import Made
from tests.support.registry.memory import MODEL, MemoryAliases

TAG, TRAINED = "patchae.threshold", 0.5
CALIBRATION = [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """A version whose files hold its calibration scores, moved to what promises 0.4."""
    write_json(tmp_path / "model" / FACTS, {"calibration_scores": CALIBRATION})
    made = build(tmp_path)
    move(made, 0.4, "false_alarms", 0.4)
    return made


def move(built: Built, to: float, why: Any = "set", rate: float | None = None) -> None:
    """Move the threshold honestly."""
    aliases = MemoryAliases()
    rows = [row for row in built.ledger.entries(MODEL) if row.kind == "threshold"]
    move_threshold(
        built.ledger,
        aliases,
        MODEL,
        built.version,
        to=to,
        before=rows[-1].body["to"] if rows else TRAINED,
        trained=TRAINED,
        why=why,
        rate=rate,
        actor="ann",
        reason="fewer looks",
    )
    built.tags[TAG] = aliases.tags[MODEL, built.version][TAG]


def row(ledger: Ledger, version: str, **changes: Any) -> None:
    """What somebody with the key of the ledger writes past patchae."""
    body = {"from": 0.4, "to": 0.7, "why": "set", "rate": None, "reason": "", **changes}
    written = ledger.append("threshold", MODEL, {**body, "version": version}, "mallory")
    shown = {"move": written.seq, "aliases": {}, "threshold": body["to"]}
    ledger.append("confirmed", MODEL, shown, "mallory")


def link(built: Built, **changes: Any) -> tuple[str, str]:
    """State and detail of the link."""
    links = {one.code: one for one in audit(built.material(**changes)).links}
    return links["threshold"].state, links["threshold"].detail


def bundled(built: Built, folder: Path, *, model: bool = True) -> tuple[str, str]:
    """The same by the verifier that shares nothing with patchae."""
    made = Made(built, {}, built.folder / "none")
    target = made.write(folder / "b.zip", built.version, model=model, images=False)
    links = {one.code: one for one in verify.verify(verify.Facts(verify.Bundle(target)))}
    return links["threshold"].state, links["threshold"].detail


def test_what_was_moved_honestly_is_intact_and_said(built: Built, tmp_path: Path) -> None:
    state, detail = link(built)
    assert state == "intact", detail
    assert detail.startswith("0.4, since row 6 at 2026-")
    assert detail.endswith("training set 0.5")
    assert bundled(built, tmp_path / "one") == ("intact", "0.4, since row 6; training set 0.5")
    move(built, TRAINED, "reset")
    assert link(built)[0] == "intact"
    assert bundled(built, tmp_path / "two")[0] == "intact"


def test_of_an_earlier_moment_it_says_which_was_in_force(built: Built) -> None:
    first = next(entry for entry in built.ledger.entries(MODEL) if entry.kind == "threshold")
    assert link(built, at=datetime.fromisoformat(first.time))[1].startswith("0.4 at ")
    promoted = next(entry for entry in built.ledger.entries(MODEL) if entry.kind == "move")
    assert link(built, at=datetime.fromisoformat(promoted.time))[1].startswith("0.5 at ")


@pytest.mark.parametrize("tag", [None, "0.5", "0.39", "nan"])
def test_a_tag_that_mlflow_shows_otherwise_is_broken(built: Built, tag: str | None) -> None:
    tags = {name: value for name, value in built.tags.items() if name != TAG}
    if tag is not None:
        tags[TAG] = tag
    state, detail = link(replace(built, tags=tags))
    assert state == "broken"
    assert "the ledger says 0.4" in detail


def test_a_tag_of_a_threshold_that_nobody_moved_is_broken(tmp_path: Path) -> None:
    made = build(tmp_path)
    assert link(made) == ("intact", "0.5, as training set it")
    made.tags[TAG] = "0.9"
    assert link(made)[0] == "broken"


FORGED: dict[str, Callable[[Built], None]] = {
    "from another threshold": lambda b: row(b.ledger, b.version, **{"from": 0.45}),
    "no known cause": lambda b: row(b.ledger, b.version, why="because"),
    "a reset to something else": lambda b: row(b.ledger, b.version, why="reset"),
    "a promise that calibration does not give": lambda b: row(
        b.ledger, b.version, why="false_alarms", rate=0.2
    ),
}


@pytest.mark.parametrize("forged", FORGED)
def test_rows_that_an_insider_wrote_are_broken(built: Built, tmp_path: Path, forged: str) -> None:
    FORGED[forged](built)
    built.tags[TAG] = "0.7"
    assert link(built)[0] == "broken"
    assert bundled(built, tmp_path / "one")[0] == "broken"
