"""How many more images: enough to decide, no more than needed, and where they help."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.evidence.auroc import Measured
from patchae.evidence.counts import share_interval
from patchae.evidence.paired import Paired
from patchae.evidence.wanted import to_compare, to_reach, to_share
from tests.support import examples
from tests.unit.evidence.test_paired import drawn

law = settings(deadline=None, max_examples=examples(60))

measured = st.builds(
    Measured,
    n_good=st.integers(2, 60),
    n_defect=st.integers(2, 60),
    auroc=st.floats(0.6, 0.999),
    good_variance=st.floats(0, 0.05),
    defect_variance=st.floats(0, 0.05),
)


@law
@given(measured)
def test_with_the_images_wanted_it_is_decided_and_with_one_less_it_is_not(found: Measured) -> None:
    low, high = found.interval()
    if low >= 0.9 or high < 0.9 or abs(found.auroc - 0.9) < 0.005:
        return
    more = to_reach(found, 0.9, 0.95)
    assert more is not None
    n, m = found.n_good + more[0], found.n_defect + more[1]
    low, high = replace(found, n_good=n, n_defect=m).interval()
    assert low >= 0.9 or high < 0.9
    assert min(more) >= 0
    assert sum(more) >= 1


def test_the_kind_that_is_short_is_asked_for() -> None:
    few_good = Measured(5, 200, 0.95, good_variance=0.01, defect_variance=0.01)
    good, defective = to_reach(few_good, 0.9, 0.95) or (0, 0)
    assert good > 0
    assert defective == 0


def test_an_auroc_at_the_limit_is_decided_by_no_number() -> None:
    assert to_reach(Measured(20, 20, 0.9, 0.01, 0.01), 0.9, 0.95) is None


def test_a_perfect_result_needs_but_more_of_the_same() -> None:
    perfect = Measured(10, 10, 1.0, 0.0, 0.0)
    good, defective = to_reach(perfect, 0.9, 0.95) or (0, 0)
    assert 3 <= good <= 20
    assert abs(good - defective) <= 1


def test_a_comparison_is_decided_by_more_images() -> None:
    labels, one, two = drawn(20, 20, 4)
    both = Paired.of(labels, two, one)
    low, _ = both.interval()
    limit = (low + both.difference) / 2
    good, defective = to_compare(both, limit, 0.95) or (0, 0)
    assert good + defective > 0
    low, _ = both.on(20 + good, 20 + defective).interval()
    assert low >= limit


@pytest.mark.parametrize(("found", "n", "limit"), [(9, 10, 0.7), (0, 5, 0.2), (3, 4, 0.5)])
def test_a_share_is_decided_by_more_images(found: int, n: int, limit: float) -> None:
    low, high = share_interval(found, n)
    assert low < limit < high
    more = to_share(found, n, limit, 0.95)
    assert more is not None
    total = n + more
    low, high = share_interval(round(found / n * total), total)
    assert low >= limit or high < limit


def test_a_share_at_the_limit_is_decided_by_no_number() -> None:
    assert to_share(5, 10, 0.5, 0.95) is None
