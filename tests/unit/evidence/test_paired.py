"""The difference of two models on the same images: laws, and two ways that must agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.evidence.auroc import Measured
from patchae.evidence.paired import Paired, bootstrap
from tests.support import examples

Tested = tuple[list[int], list[float], list[float]]
law = settings(deadline=None, max_examples=examples(100))


@st.composite
def cases(draw: st.DrawFn) -> Tested:
    """Labels and the scores of two models, with ties."""
    n, m = draw(st.integers(2, 15)), draw(st.integers(2, 20))
    labels = draw(st.permutations([0] * n + [1] * m))
    models = []
    for _ in range(2):
        scores = draw(st.lists(st.integers(0, 30), min_size=n + m, max_size=n + m))
        models.append([s + 10.0 * label for label, s in zip(labels, scores, strict=True)])
    return labels, models[0], models[1]


def drawn(n: int, m: int, seed: int) -> Tested:
    """Two models that see the same difficulty, each with an error of its own."""
    random = np.random.default_rng(seed)
    hard = random.normal(0, 1, n + m)
    labels = [0] * n + [1] * m
    better, worse = (
        hard + random.normal(0, 0.7, n + m) + shift * np.array(labels) for shift in (2.0, 1.6)
    )
    return labels, better.tolist(), worse.tolist()


@law
@given(cases())
def test_each_model_is_measured_as_if_alone(found: Tested) -> None:
    labels, one, two = found
    both = Paired.of(labels, one, two)
    assert both.challenger == Measured.of(labels, one)
    assert both.champion == Measured.of(labels, two)
    low, high = both.interval()
    assert low <= both.difference + 1e-12
    assert both.difference <= high + 1e-12


@law
@given(cases())
def test_exchanged_models_have_the_mirrored_interval(found: Tested) -> None:
    labels, one, two = found
    low, high = Paired.of(labels, one, two).interval()
    assert Paired.of(labels, two, one).interval() == pytest.approx((-high, -low), abs=1e-9)


@law
@given(cases(), st.randoms(use_true_random=False))
def test_only_ranks_count_and_no_order(found: Tested, random: object) -> None:
    labels, one, two = found
    expected = pytest.approx(Paired.of(labels, one, two).interval(), abs=1e-7)
    bent = [math.atan(score / 20) for score in one]
    assert Paired.of(labels, bent, [score * 3 - 1 for score in two]).interval() == expected
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = ([values[i] for i in order] for values in (labels, one, two))
    assert Paired.of(*shuffled).interval() == expected  # type: ignore[arg-type]


def test_delong_and_bootstrap_agree_on_enough_images() -> None:
    for seed in range(5):
        labels, one, two = drawn(150, 150, seed)
        both = Paired.of(labels, one, two)
        low, high = both.delong()
        width = high - low
        drawn_low, drawn_high = bootstrap(labels, one, two, draws=1000, seed=seed)
        assert drawn_low == pytest.approx(low, abs=0.1 * width)
        assert drawn_high == pytest.approx(high, abs=0.1 * width)
        ours = both.interval()
        assert ours == pytest.approx((low, high), abs=0.15 * width)


def test_what_is_hard_for_both_makes_the_difference_surer() -> None:
    labels, one, two = drawn(80, 80, 1)
    both = Paired.of(labels, one, two)
    assert both.correlation > 0.5
    low, high = both.interval()
    alone = [limit for model in (both.challenger, both.champion) for limit in model.interval()]
    assert high - low < 0.8 * (alone[1] - alone[0] + alone[3] - alone[2])


def test_a_model_does_not_differ_from_itself() -> None:
    labels, one, _ = drawn(20, 30, 2)
    same = Paired.of(labels, one, [2 * score for score in one])
    assert same.interval() == pytest.approx((0, 0), abs=1e-6)


@law
@given(cases())
def test_models_that_rank_alike_do_not_differ_at_all(found: Tested) -> None:
    labels, one, _ = found
    both = Paired.of(labels, one, [math.atan(score / 20) for score in one])
    if both.challenger.variance > 1e-9:  # else the ranks show nothing, and leave room
        assert both.interval() == (0, 0)


def test_two_perfect_models_on_few_images_may_still_differ() -> None:
    labels, scores = [0] * 12 + [1] * 30, [0.0] * 12 + [1.0] * 30
    both = Paired.of(labels, scores, scores)
    assert both.delong() == (0, 0)
    low, high = both.interval()
    assert low < -0.05
    assert high > 0.05


def test_errors_on_the_same_image_alone_do_not_make_two_models_one() -> None:
    random = np.random.default_rng(4)
    labels = [0] * 60 + [1] * 40
    one, two = ((random.uniform(size=100) + np.array(labels)).tolist() for _ in range(2))
    one[0] = two[0] = 9.0  # a good image that both take for the worst; all else differs
    both = Paired.of(labels, one, two)
    assert both.challenger == both.champion
    low, high = both.interval()
    assert low < -0.001
    assert high > 0.001


def test_a_perfect_challenger_is_promoted_where_one_with_errors_is() -> None:
    n, m = 60, 60
    labels = [0] * n + [1] * m
    perfect = [float(rank) for rank in range(n + m)]
    once, twice = list(perfect), list(perfect)
    once[n - 1], once[n] = perfect[n], perfect[n - 1]
    twice[n - 1], twice[n + 1] = perfect[n + 1], perfect[n - 1]
    lows = [Paired.of(labels, model, once).interval()[0] for model in (perfect, twice)]
    assert min(lows) > -0.03, "the default margin"


def test_the_bootstrap_is_the_same_every_time() -> None:
    case = drawn(20, 20, 3)
    assert bootstrap(*case, draws=100) == bootstrap(*case, draws=100)
    assert bootstrap(*case, draws=100) != bootstrap(*case, draws=100, seed=1)


def test_with_fewer_than_two_of_each_nothing_is_compared() -> None:
    with pytest.raises(ValueError, match="at least 2 of each"):
        Paired.of([0, 1, 1], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
