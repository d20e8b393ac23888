"""Rows, records and bundles that were written before are read, and vouched for, as before."""

from __future__ import annotations

import json

import pytest

from patchae.files import canonical_json
from patchae.lineage.record import digest, missing, parse
from patchae.registry.chain import faults
from patchae.registry.export import from_lines, to_lines
from tests.golden import BUNDLE, LEDGER, RECORD, WEIGHTS, read
from tests.golden.results import weights
from tests.support.lineage.built import Built
from tests.support.lineage.bundles import answer
from tests.support.trained import Small


def test_a_ledger_that_was_written_before_is_one_chain_and_is_exported_byte_for_byte() -> None:
    rows, signatures = from_lines(LEDGER.read_text())
    assert len(rows) > 5
    assert faults(rows) == []
    assert to_lines(rows, signatures) == LEDGER.read_text()


def test_a_record_that_was_written_before_is_whole_and_keeps_its_digest() -> None:
    record = read(RECORD)
    assert missing(record) == []
    parse(RECORD.read_text())
    assert canonical_json(record) == RECORD.read_text()
    registered = [row for row in from_lines(LEDGER.read_text())[0] if row.kind == "registered"]
    assert digest(record) in {json.loads(row.body).get("lineage_sha256") for row in registered}


def test_a_record_of_today_has_the_fields_of_one_that_was_written_before(honest: Built) -> None:
    today = json.loads((honest.artifacts / "lineage.json").read_text())
    assert paths(today) == paths(read(RECORD)), "raise its schema: python -m tests.golden"


def paths(value: object, path: str = "") -> set[str]:
    """Every field of a record; names of packages aside."""
    if isinstance(value, dict) and not path.endswith(".packages"):
        return {inner for key, item in value.items() for inner in paths(item, f"{path}.{key}")}
    return {path}


def test_a_bundle_that_was_written_before_is_verified_as_before() -> None:
    states = {code: state for code, (state, _) in answer(BUNDLE).items()}
    assert states.pop("images") == "not_checkable"  # none are in it
    assert "broken" not in states.values()
    assert len([state for state in states.values() if state == "intact"]) > 10


def test_the_same_training_gives_the_same_weights(small: Small) -> None:
    before, today = read(WEIGHTS), weights(small.model)
    assert list(today["tensors"]) == list(before["tensors"])
    # Processors round otherwise, and a training carries that on.
    assert today["threshold"] == pytest.approx(before["threshold"], abs=0.05)
    for name, tensor in today["tensors"].items():
        assert tensor["shape"] == before["tensors"][name]["shape"], name
        for value in ("mean", "spread"):
            expected = before["tensors"][name][value]
            assert tensor[value] == pytest.approx(expected, rel=0.02, abs=0.02), name
