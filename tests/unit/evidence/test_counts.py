"""Exact intervals of shares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from patchae.evidence.counts import share_interval


@given(st.integers(1, 300), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_limits_are_where_such_a_count_becomes_unlikely(
    n: int, data: st.DataObject, confidence: float
) -> None:
    found = data.draw(st.integers(0, n))
    low, high = share_interval(found, n, confidence)
    assert 0 <= low <= found / n <= high <= 1
    tail = (1 - confidence) / 2
    if found:
        assert binom.sf(found - 1, n, low) == pytest.approx(tail, rel=1e-6)
    if found < n:
        assert binom.cdf(found, n, high) == pytest.approx(tail, rel=1e-6)


def test_none_of_few_is_not_none_of_all() -> None:
    assert share_interval(0, 20) == pytest.approx((0, 0.16843), abs=1e-5)
    assert share_interval(20, 20) == pytest.approx((0.83157, 1), abs=1e-5)


def test_what_is_no_share_is_refused() -> None:
    assert all(math.isnan(limit) for limit in share_interval(0, 0))
    for found, n in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="a part of the whole"):
            share_interval(found, n)
