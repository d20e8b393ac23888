"""Every way in which patchae moves a champion is one that the audit and `verify.py` accept."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from patchae.lineage.bundle import verify
from patchae.lineage.decisions import verdict
from patchae.lineage.material import Facts, Material
from patchae.registry.alignment import put_back, settle
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import adopt, override, promote, rollback
from tests.support.registry.memory import MODEL, MemoryAliases, judged


class DyingAliases(MemoryAliases):
    """MLflow that does not answer when the first alias is to be set."""

    def set(self, model: str, alias: str, version: str) -> None:
        if not self.calls:
            self.calls += 1
            raise ConnectionError
        super().set(model, alias, version)


def test_every_move_that_is_written_is_accepted(tmp_path: Path) -> None:
    ledger, aliases = Ledger(tmp_path / "ledger.db"), DyingAliases()
    why = {"actor": "ann", "reason": "a test"}
    with pytest.raises(ConnectionError):
        promote(ledger, aliases, MODEL, "1", verdict=judged(ledger, "1"), **why)
    settle(ledger, aliases, MODEL, actor="ann")
    judged(ledger, "2", n_good=1)
    override(ledger, aliases, MODEL, "2", **why)
    rollback(ledger, aliases, MODEL, **why)
    promote(ledger, aliases, MODEL, "2", verdict=judged(ledger, "2"), **why)
    aliases.set(MODEL, "champion", "1")  # past the ledger
    adopt(ledger, aliases, MODEL, **why)
    rollback(ledger, aliases, MODEL, **why)
    aliases.set(MODEL, "champion", "1")
    put_back(ledger, aliases, MODEL, **why)
    promote(ledger, aliases, MODEL, "1", verdict=judged(ledger, "1"), **why)
    rows = ledger.entries(MODEL)
    written = [row.body["why"] for row in rows if row.kind == "move"]
    assert set(written) == {"promoted", "overridden", "rolled_back", "adopted"}
    for version in "12":
        assert verdict(Facts(Material(MODEL, version, entries=rows)))
        facts: Any = SimpleNamespace(version=version)
        plain = [asdict(row) for row in rows]
        for position, row in enumerate(plain):
            if row["kind"] == "move" and row["body"]["to"] == version:
                verify._check_move(facts, row, plain[:position])
