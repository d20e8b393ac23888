"""An export says all that the ledger says, and nothing of it can be changed unnoticed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.errors import DataError, UsageError
from patchae.registry.chain import Row, faults, follow
from patchae.registry.export import Anchor, from_lines, to_lines
from patchae.registry.ledger import Ledger
from patchae.registry.signing import Signer, generate
from patchae.types import Sha256
from tests.support import ROOT, examples, patchae
from tests.support.registry.memory import move

DOCS = ROOT / "docs" / "ledger.md"


def chain(count: int) -> list[Row]:
    """Rows that follow one another."""
    rows: list[Row] = []
    for number in range(1, count + 1):
        entry = follow(
            rows[-1] if rows else None,
            time=f"2026-11-24T10:00:{number:02d}.000000Z",
            kind="move",
            model="a.bölt",
            actor="ann",
            body=move(str(number), reason=f"röw {number}", share=0.1 * number),
        )
        rows.append(entry.row())
    return rows


ROWS = chain(6)
law = settings(deadline=None, max_examples=examples(200))


def test_an_export_is_read_back() -> None:
    assert from_lines(to_lines(ROWS)) == (ROWS, {})
    assert from_lines("") == ([], {})
    key = Signer(Ed25519PrivateKey.generate())
    signatures = {row.seq: key.sign(row.digest) for row in ROWS[2:]}
    assert from_lines(to_lines(ROWS, signatures)) == (ROWS, signatures)


@law
@given(st.integers(0, len(to_lines(ROWS)) - 1), st.characters(codec="utf-8"))
def test_no_character_can_be_changed_unnoticed(at: int, character: str) -> None:
    text = to_lines(ROWS)
    changed = text[:at] + character + text[at + 1 :]
    anchor = Anchor(ROWS[-1].seq, Sha256(ROWS[-1].digest))
    try:
        rows, _ = from_lines(changed)
    except DataError:
        return
    if rows != ROWS:
        assert faults(rows) + anchor.faults(rows)


@law
@given(st.permutations(range(6)), st.integers(0, 6))
def test_only_the_whole_chain_in_its_order_holds_the_anchor(order: list[int], kept: int) -> None:
    rows = [ROWS[i] for i in order[:kept]]
    anchor = Anchor.of(f"6:{ROWS[-1].digest}")
    assert (faults(rows) + anchor.faults(rows) == []) == (rows == ROWS)


def test_an_end_that_was_cut_off_or_written_anew_is_named() -> None:
    anchor = Anchor(6, Sha256(ROWS[-1].digest))
    assert anchor.faults(ROWS) == []
    assert anchor.faults(ROWS[:4]) == [
        "row 6: missing; the anchor names it, and the ledger ends at 4"
    ]
    head = None
    rewritten = []
    for row in ROWS:  # a chain that is intact in itself
        body = {**json.loads(row.body), "reason": "forged"}
        head = follow(
            head, time=row.time, kind="move", model=row.model, actor=row.actor, body=body
        ).row()
        rewritten.append(head)
    assert faults(rewritten) == []
    assert "written anew" in anchor.faults(rewritten)[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no json", "Expecting value"),
        ("[1]", "expected the keys"),
        (to_lines(ROWS[:1]).replace('"seq":1', '"seq":"1"').strip(), "another type"),
        (to_lines(ROWS[:1]).replace(",", ", ", 1).strip(), "not canonical"),
        (to_lines(ROWS[:1]).replace('"actor":"ann",', "").strip(), "expected the keys"),
        (to_lines(ROWS[:1]).replace('"time"', '"signature":3,"time"').strip(), "not a row"),
    ],
)
def test_what_is_no_row_is_told_with_its_line(line: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        from_lines(f"{to_lines(ROWS[:1])}{line}\n", "ledger.jsonl")
    assert raised.value.where == "ledger.jsonl, line 2"


@pytest.mark.parametrize("name", ["nope.jsonl", "."])
def test_a_file_that_is_not_there_is_a_mistake(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = patchae(capsys, monkeypatch, "ledger", "verify", name)
    assert code == 2
    assert "there is no such file" in said
    assert "patchae ledger export" in said


@pytest.mark.parametrize("text", ["", "7", "0:" + "a" * 64, "7:" + "A" * 64, "7:" + "a" * 63])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no anchor"):
        Anchor.of(text)


def test_anybody_can_check_an_export_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "key")
    monkeypatch.setenv("PATCHAE_LEDGER_KEY", str(tmp_path / "key"))
    ledger = Ledger(tmp_path / "ledger.db")
    for number in range(3):
        ledger.append("move", "a.b", move(str(number), reason="ü", share=1e-7), "ann")
    (tmp_path / "ledger.jsonl").write_text(to_lines(*ledger.signed_rows()))
    code = DOCS.read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 - the page's own
    first, second, third = ledger.signed_rows()[0]
    (tmp_path / "ledger.jsonl").write_text(to_lines([first, replace(second, actor="eve"), third]))
    with pytest.raises(AssertionError):
        exec(code, {})  # noqa: S102
