"""Weights that were let go: an audit knows them by their row, and takes nothing else for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patchae.errors import AuditBroken
from patchae.files import canonical_json, sha256_file
from patchae.lineage.audit import audit
from patchae.lineage.bundle.content import Sources
from patchae.lineage.probe import probe
from patchae.registry.chain import Row
from patchae.report.bundle import write_pages
from tests.support.lineage.answers import broken, not_checkable
from tests.support.lineage.built import Built
from tests.support.lineage.bundles import answer, in_state
from tests.support.lineage.forging import Rows, as_insider, find, flip

WEIGHTS = "artifacts/model.safetensors"


def tidied(row: Row, built: Built, **changes: Any) -> Row:
    """A row after another one that lets go of the weights."""
    digest = changes.pop("sha256", sha256_file(built.model / WEIGHTS))
    files = {WEIGHTS: {"sha256": digest, "bytes": 7}}
    body = {"version": built.version, "files": files, "policy": {}, **changes}
    return replace(row, kind="tidied", body=canonical_json(body))


def let_go(built: Built, *, used: bool = False, row: bool = True, **changes: Any) -> Built:
    """Let go of the weights of the version as tidying does; `used`: although it was champion."""

    def change(rows: Rows) -> Rows:
        kept = rows if used else rows[: find(rows, "move", built.version)]
        return [*kept, tidied(kept[-1], built, **changes)] if row else kept

    as_insider(built, rows=change)
    if not used:
        built.aliases = {"champion": "1"}
    (built.model / WEIGHTS).unlink()
    return built


def audited(built: Built) -> tuple[dict[str, str], set[str]]:
    """Links that are broken, with their details, and those that are not checkable."""
    found = audit(built.material(alias=None, deep=True))
    return broken(found), not_checkable(found)


def verified(built: Built, folder: Path) -> dict[str, tuple[str, str]]:
    """What the bundle's own `verify.py` says."""
    rows, signatures = built.ledger.signed_rows()
    found = audit(built.material(alias=None, deep=True))
    sources = Sources(found, built.artifacts, rows, signatures, model_folder=built.model)
    write_pages(folder / "bundle.zip", sources)
    return answer(folder / "bundle.zip", str(built.anchor), (built.key.with_suffix(".pub"),))


def test_weights_that_a_row_lets_go_are_not_checkable_and_all_else_is(
    proven: Built, tmp_path: Path
) -> None:
    let_go(proven)
    assert audited(proven) == ({}, {"model_files"})
    found = verified(proven, tmp_path)
    assert in_state(found, "broken") == set()
    state, detail = found["model_files"]
    assert state == "not_checkable"
    assert f"{WEIGHTS}: let go by the retention policy, row" in detail


BROKEN: dict[str, tuple[Callable[[Built], object], set[str]]] = {
    "no row": (lambda b: let_go(b, row=False), {"model_files"}),
    "a row on another version": (lambda b: let_go(b, version="1"), {"model_files"}),
    "a row on other weights": (lambda b: let_go(b, sha256="0" * 64), {"model_files"}),
    "a row on another file": (lambda b: let_go(b, files={"MLmodel": {}}), {"model_files"}),
    "a champion": (lambda b: let_go(b, used=True), {"model_files"}),
    "another file gone": (lambda b: (let_go(b), (b.model / "MLmodel").unlink()), {"model_files"}),
    "another file changed": (lambda b: (let_go(b), flip(b.model / "MLmodel")), {"model_files"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_weights_are_missing_without_the_right_row(
    proven: Built, tmp_path: Path, name: str
) -> None:
    spoil, codes = BROKEN[name]
    spoil(proven)
    assert set(audited(proven)[0]) == codes
    assert in_state(verified(proven, tmp_path), "broken") == codes | {"audit"}


def test_no_move_leads_to_a_version_that_let_go(proven: Built, tmp_path: Path) -> None:
    def before(rows: Rows) -> Rows:
        at = find(rows, "move", proven.version)
        return [*rows[:at], tidied(rows[at - 1], proven), replace(rows[at])]

    as_insider(proven, rows=before)
    assert set(audited(proven)[0]) == {"verdict"}
    assert in_state(verified(proven, tmp_path), "broken") == {"verdict", "audit"}


def test_a_ledger_that_does_not_answer_excuses_nothing(proven: Built) -> None:
    from patchae.lineage.material import Unreachable

    let_go(proven)
    found = audit(proven.material(alias=None, entries=Unreachable("it is down")))
    assert set(broken(found)) == {"model_files"}


def test_what_let_go_cannot_be_tried(proven: Built) -> None:
    class Held:
        """MLflow that has the version."""

        def version(self, *_: str) -> None: ...

        def artifacts(self, _: object) -> Path:
            return proven.artifacts

        def model_folder(self, _: object) -> Path:
            return proven.model

    let_go(proven)
    with pytest.raises(AuditBroken, match=r"must not be used: .*let go by the retention policy"):
        probe(Held(), proven.ledger, "sample.bolt", "2", None)  # type: ignore[arg-type]
