"""A row of the ledger whose time is none: every command that reads it says which row that is."""

from __future__ import annotations

import pytest

from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import promote
from tests.support import patchae
from tests.support.registry.memory import MODEL, MemoryAliases, judged
from tests.support.registry.places import Place

LATER = "2100-01-01T00:00Z"


@pytest.mark.parametrize("time", ["yesterday", "2026-05-01T12:00:00.000000", "0001-01-01T00:00Z"])
def test_a_time_that_is_none_is_told_by_every_command(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    time: str,
) -> None:
    ledger = Ledger.of(project)
    promote(ledger, MemoryAliases(), MODEL, "1", verdict=judged(ledger, "1"), actor="ann")
    statement = f"UPDATE ledger SET time = '{time}' WHERE kind = 'move'"  # noqa: S608 - our own
    Place(project.ledger).tamper(statement)
    for words in (
        ("history", MODEL),
        ("history", MODEL, "--at", LATER),
        ("history", MODEL, "--since", "2020-01-01"),
    ):
        code, out, err = patchae(capsys, monkeypatch, *words)
        assert (code, out) == (1, "")
        assert "row 2 of the ledger cannot be read: no time" in err
    code, out, err = patchae(capsys, monkeypatch, "audit", "--all", "--at", LATER)
    assert (code, "0 champions" in out) == (1, False)
    assert "the ledger cannot be trusted: row 2: content changed" in err
