"""Whatever is changed behind patchae's back is found, and the links that it breaks are named."""

from __future__ import annotations

import pytest

from patchae.lineage.audit import LINKS, audit
from tests.support.lineage.answers import broken, not_checkable
from tests.support.lineage.built import Built
from tests.support.lineage.tampering import MATRIX, Tampering


@pytest.mark.parametrize("tampering", MATRIX, ids=lambda one: one.name)
def test_what_was_changed_breaks_exactly_its_links(proven: Built, tampering: Tampering) -> None:
    tampering.apply(proven)
    found = audit(proven.material(deep=True))
    assert set(broken(found)) == tampering.links, broken(found)


def test_there_is_a_change_for_every_link_and_no_two_are_alike() -> None:
    assert {code for one in MATRIX for code in one.links} == set(LINKS)
    assert len({one.name for one in MATRIX}) == len(MATRIX) >= 30


def test_an_untouched_chain_passes_every_time(proven_once: Built) -> None:
    for _ in range(100):
        found = audit(proven_once.material(deep=True))
        assert (broken(found), not_checkable(found)) == ({}, set())
