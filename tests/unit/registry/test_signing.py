"""Signatures: only the holder of the key can add to the ledger, or change what is in it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchae.errors import ConfigError, UsageError
from patchae.registry.chain import follow
from patchae.registry.ledger import Ledger
from patchae.registry.signing import Signature, Signer, counted, faults, generate, read_public
from tests.support.registry.memory import move
from tests.support.registry.places import Place


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of a private key."""
    file = tmp_path / "keys" / "own"
    generate(file)
    return file


@pytest.fixture
def signed(ledger: Ledger, key: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger that was begun without a key and then signed: row 1 is not, rows 2 to 4 are."""
    ledger.append("move", "m", move("1"), "ann")
    monkeypatch.setenv("PATCHAE_LEDGER_KEY", str(key))
    for to in "234":
        ledger.append("move", "m", move(to), "ann")
    return ledger


def test_a_key_is_made_once_and_read_back(key: Path) -> None:
    public = key.with_name("own.pub")
    assert Signer.read(key).public == read_public(public)
    assert key.stat().st_mode & 0o077 == 0, "nobody else may read it"
    content = key.read_bytes()
    for taken in (key, key.with_name("other")):
        public.replace(key.with_name("other.pub"))
        with pytest.raises(UsageError, match="never written over"):
            generate(taken)
        key.with_name("other.pub").replace(public)
    assert key.read_bytes() == content


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 127), st.data())
def test_a_signature_is_of_one_digest_by_one_key(digest: str, at: int, data: st.DataObject) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signature = Signer(Ed25519PrivateKey.generate()).sign(digest)
    assert signature.holds(digest)
    assert not signature.holds(digest[::-1] + "0")
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != signature.value[at]))
    changed = signature.value[:at] + other + signature.value[at + 1 :]
    if changed.lower() != signature.value:
        assert not replace(signature, value=changed).holds(digest)
    other_key = Signer(Ed25519PrivateKey.generate()).public
    assert not replace(signature, key=other_key).holds(digest)


def test_rows_are_signed_while_a_key_is_configured(signed: Ledger, key: Path) -> None:
    rows, signatures = signed.signed_rows()
    assert sorted(signatures) == [2, 3, 4]
    assert counted(signatures) == "3 of them signed, from row 2 on"
    assert counted({}) == "0 of them signed"
    assert signed.verify() == []
    trusted = {read_public(key.with_name("own.pub"))}
    assert faults(rows, signatures, trusted) == []
    assert faults(rows, signatures, {"ab" * 32})[0].startswith("row 2: signed with another key")
    assert faults([], {}, trusted) == []


def test_what_somebody_without_the_key_does_is_named(
    signed: Ledger, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = {Signer.read(key).public}
    rows, signatures = signed.signed_rows()
    monkeypatch.delenv("PATCHAE_LEDGER_KEY")
    # Appended without the key: the chain is intact, the newest row is not signed.
    assert signed.append("move", "m", move("5"), "eve").seq == 5
    assert signed.verify() == []
    assert faults(*signed.signed_rows(), trusted) == ["row 5: the newest row is not signed"]
    # And a signature behind it does not cover it up.
    monkeypatch.setenv("PATCHAE_LEDGER_KEY", str(key))
    signed.append("move", "m", move("6"), "ann")
    said = "row 5: not signed, and row 2 before it is"
    assert faults(*signed.signed_rows(), trusted) == [said]
    assert signed.verify() == []
    # Written anew from row 3 on, with all digests right.
    forged = list(rows[:2])
    for row in rows[2:]:
        forged.append(
            follow(
                forged[-1], time=row.time, kind="move", model="m", actor="eve", body=move("9")
            ).row()
        )
    said = "its signature is not one of this row"
    assert faults(forged, signatures, trusted) == [f"row 3: {said}", f"row 4: {said}"]
    # The signatures taken away, or made with a key of one's own.
    assert faults(rows, {}, trusted) == ["row 4: the newest row is not signed"]
    generate(key.with_name("eve"))
    own = Signer.read(key.with_name("eve"))
    assert "another key" in faults(rows, {4: own.sign(rows[3].digest)}, trusted)[0]
    # The end cut off.
    assert faults(rows[:3], signatures, trusted) == ["row 4: missing, and it was signed"]
    assert faults(rows, {**signatures, 4: Signature("zz", "")}, trusted) == [f"row 4: {said}"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE signature SET value = ''", "never changed"),
        ("DELETE FROM signature", "never deleted"),
        ("INSERT INTO signature VALUES (1, 'ab', 'ab')", "come with their row"),
        ("INSERT INTO signature VALUES (4, 'ab', 'ab')", "come with their row"),
        ("INSERT INTO signature VALUES (5, 'ab', 'ab')", "come with their row"),
        ("INSERT OR REPLACE INTO signature VALUES (4, 'ab', 'ab')", "come with their row"),
    ],
)
def test_the_database_itself_refuses_every_other_signature(
    place: Place, signed: Ledger, statement: str, said: str
) -> None:
    if "REPLACE" in statement and not isinstance(place.at, Path):
        pytest.skip("a statement that only the other database knows")
    with pytest.raises((sqlite3.IntegrityError, psycopg.Error), match=said):
        place.execute(statement)
    assert signed.verify() == []
    assert signed.append("move", "m", move("5"), "ann").seq == 5


def test_a_signature_that_was_changed_is_named(place: Place, signed: Ledger) -> None:
    place.tamper("UPDATE signature SET value = 'ab' WHERE seq = 3")
    assert signed.verify() == ["row 3: its signature is not one of this row"]


@pytest.mark.parametrize("content", [None, b"no key", "public"])
def test_without_a_usable_key_nothing_is_written(
    signed: Ledger, key: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | str | None
) -> None:
    file = key.with_name("unusable")
    if content is not None:
        public = key.with_name("own.pub").read_bytes()
        file.write_bytes(public if isinstance(content, str) else content)
    monkeypatch.setenv("PATCHAE_LEDGER_KEY", str(file))
    with pytest.raises(ConfigError, match="cannot be signed"):
        signed.append("move", "m", move("5"), "ann")
    assert len(signed.entries()) == 4
    with pytest.raises(UsageError, match="no key to verify with"):
        read_public(key)
