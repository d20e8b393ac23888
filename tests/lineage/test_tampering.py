"""Whatever is changed behind patchae's back is found, and the links that it breaks are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchae.lineage.audit import LINKS, audit
from tests.lineage.answers import broken, not_checkable
from tests.lineage.builder import build
from tests.lineage.built import Built
from tests.lineage.tampering import MATRIX, Tampering


@pytest.fixture(scope="session")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An intact version whose ledger is signed and noted; nobody leaves it changed."""
    return build(tmp_path_factory.mktemp("proven") / "version", proven=True)


@pytest.mark.parametrize("tampering", MATRIX, ids=lambda one: one.name)
def test_what_was_changed_breaks_exactly_its_links(
    proven: Built, tmp_path: Path, tampering: Tampering
) -> None:
    built = proven.copy(tmp_path / "version")
    tampering.apply(built)
    found = audit(built.material(deep=True))
    assert set(broken(found)) == tampering.links, broken(found)


def test_there_is_a_change_for_every_link_and_no_two_are_alike() -> None:
    assert {code for one in MATRIX for code in one.links} == set(LINKS)
    assert len({one.name for one in MATRIX}) == len(MATRIX) >= 30


def test_an_untouched_chain_passes_every_time(proven: Built) -> None:
    for _ in range(100):
        found = audit(proven.material(deep=True))
        assert (broken(found), not_checkable(found)) == ({}, set())
