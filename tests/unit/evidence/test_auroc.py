"""The interval of an AUROC: laws that hold for any ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from patchae.evidence.auroc import auroc_interval, components, midranks
from tests.support import examples

Tested = tuple[list[int], list[float]]


@st.composite
def cases(draw: st.DrawFn) -> Tested:
    """Labels and scores with at least two of each kind, ties among them."""
    n, m = draw(st.integers(2, 20)), draw(st.integers(2, 30))
    labels = draw(st.permutations([0] * n + [1] * m))
    scores = draw(st.lists(st.integers(0, 30), min_size=n + m, max_size=n + m))
    return labels, [score + 10.0 * label for label, score in zip(labels, scores, strict=True)]


law = settings(deadline=None, max_examples=examples(100))


@law
@given(st.lists(st.one_of(st.integers(0, 5), st.floats(-1e300, 1e300)), max_size=40))
def test_ranks_are_those_of_scipy(values: list[float]) -> None:
    assert midranks(np.array(values, float)).tolist() == rankdata(values).tolist()


@law
@given(cases())
def test_the_components_are_the_auroc_taken_apart(found: Tested) -> None:
    labels, scores = found
    parts = components(labels, scores)
    exact = roc_auc_score(labels, scores)
    assert parts.auroc == pytest.approx(exact)
    assert parts.good.mean() == pytest.approx(exact)
    good = [s for label, s in zip(labels, scores, strict=True) if not label]
    bad = [s for label, s in zip(labels, scores, strict=True) if label]
    by_hand = [np.mean([(d > g) + 0.5 * (d == g) for g in good]) for d in bad]
    assert parts.defective == pytest.approx(by_hand)


@law
@given(cases(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_interval_holds_the_estimate_and_is_no_point(found: Tested, confidence: float) -> None:
    low, high = auroc_interval(*found, confidence)
    assert 0 <= low <= components(*found).auroc + 1e-12
    assert components(*found).auroc <= high + 1e-12 <= 1 + 1e-12
    assert high - low > 0.001


@law
@given(cases(), st.randoms(use_true_random=False))
def test_only_ranks_count_and_no_order(found: Tested, random: object) -> None:
    labels, scores = found
    expected = pytest.approx(auroc_interval(labels, scores))
    assert auroc_interval(labels, [math.atan(score / 20) for score in scores]) == expected
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert auroc_interval([labels[i] for i in order], [scores[i] for i in order]) == expected


@law
@given(cases())
def test_the_mirror_image_has_the_mirrored_interval(found: Tested) -> None:
    labels, scores = found
    low, high = auroc_interval(labels, scores)
    assert auroc_interval(labels, [-score for score in scores]) == pytest.approx(
        (1 - high, 1 - low)
    )


@law
@given(cases())
def test_more_of_the_same_images_are_surer(found: Tested) -> None:
    labels, scores = found
    low, high = auroc_interval(labels, scores)
    lower, higher = auroc_interval(labels * 4, scores * 4)
    assert higher - lower < high - low


def test_a_perfect_result_on_few_images_leaves_room() -> None:
    few = auroc_interval([0] * 12 + [1] * 30, [0.0] * 12 + [1.0] * 30)
    assert few[0] < 0.95
    assert few[1] == 1
    many = auroc_interval([0] * 200 + [1] * 200, [0.0] * 200 + [1.0] * 200)
    assert 0.98 < many[0] < 1


@law
@given(st.integers(2, 300), st.integers(2, 300), st.sampled_from([0.8, 0.95, 0.99]))
def test_a_perfect_result_shows_no_less_than_one_with_a_pair_the_wrong_way_round(
    n: int, m: int, confidence: float
) -> None:
    labels = [0] * n + [1] * m
    perfect = [float(rank) for rank in range(n + m)]
    swapped = [*perfect[: n - 1], perfect[n], perfect[n - 1], *perfect[n + 1 :]]
    low, high = auroc_interval(labels, perfect, confidence)
    assert low >= auroc_interval(labels, swapped, confidence)[0] - 1e-12
    assert low < high == 1
    mirrored = auroc_interval(labels, [-score for score in perfect], confidence)
    assert mirrored == pytest.approx((0, 1 - low))


def test_scores_that_are_all_alike_show_nothing() -> None:
    low, high = auroc_interval([0] * 10 + [1] * 10, [1.0] * 20)
    assert low < 0.3
    assert high > 0.7


@pytest.mark.parametrize("labels", [[], [0], [1, 1, 1], [0, 0, 1], [0, 1, 1]])
def test_with_fewer_than_two_of_each_there_is_no_interval(labels: list[int]) -> None:
    assert all(math.isnan(limit) for limit in auroc_interval(labels, [0.5] * len(labels)))
    with pytest.raises(ValueError, match="at least 2 of each"):
        components(labels, [0.5] * len(labels))
