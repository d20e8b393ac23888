"""The tests behind a look: what they find, and how often they are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm, t

from patchae.drift.compare import (
    blind,
    compare,
    confirmed,
    effect_of,
    effective,
    holm,
    level,
    rank_test,
)
from patchae.drift.finding import Reading


def test_the_rank_test_is_that_of_mann_and_whitney_with_students_t() -> None:
    """Its distance in standard deviations is the known one; that of few images says less."""
    random = np.random.default_rng(0)
    pairs = [(random.normal(size=80), random.normal(shift, size=7)) for shift in (0, 0.3, 1)]
    pairs += [(np.round(random.normal(size=60)), np.round(random.normal(size=7)))]  # ties
    for one, other in pairs:
        known = mannwhitneyu(one, other, method="asymptotic").pvalue
        n, m = len(one), len(other)
        freedom = (m - 1) * ((n + m) / n) ** 2
        wanted = 2 * t.sf(norm.isf(known / 2), freedom)
        assert rank_test(one, other) == pytest.approx(wanted, rel=1e-9)
        assert rank_test(one, other) >= known


def test_equal_values_differ_by_nothing() -> None:
    same = np.full(30, 0.5)
    assert rank_test(same, same[:10]) == 1.0
    assert effect_of(same, same[:10]) == 0.0
    assert rank_test(same, same[:0]) == 1.0


def test_an_effect_is_in_deviations_of_the_reference() -> None:
    random = np.random.default_rng(1)
    reference = random.normal(5, 2, 100_000)
    assert effect_of(reference, reference + 4) == pytest.approx(2, abs=0.02)
    assert effect_of(reference, reference - 1) == pytest.approx(-0.5, abs=0.02)


def test_images_that_follow_each_other_count_for_less() -> None:
    random = np.random.default_rng(2)
    alone = random.normal(size=400)
    assert effective(alone) > 250  # the estimate is on the safe side
    slow = np.convolve(random.normal(size=440), np.ones(41) / 41, "valid")
    assert effective(slow) < 40
    repeated = np.repeat(random.normal(size=40), 10)
    assert 10 < effective(repeated) < 100
    assert effective(np.full(50, 3.0)) == 50.0


def test_slow_light_is_no_drift() -> None:
    """Series that wander by themselves: a test that took them for independent would cry wolf."""
    random = np.random.default_rng(3)
    wrong = naive = 0
    for _ in range(300):
        reference = random.normal(size=100)
        steps = np.convolve(random.normal(size=140), np.ones(21) / 21**0.5, "valid")
        wrong += rank_test(reference, steps) < 0.01
        naive += mannwhitneyu(reference, steps).pvalue < 0.01
    assert naive > 90
    assert wrong < naive / 4


def wandering(random: np.random.Generator, count: int, alike: float) -> np.ndarray:
    """A series each of whose values is like the one before (AR(1)), of deviation 1."""
    steps = random.normal(size=count)
    series = np.empty(count)
    series[0] = steps[0]
    for at in range(1, count):
        series[at] = alike * series[at - 1] + (1 - alike**2) ** 0.5 * steps[at]
    return series


@pytest.mark.parametrize(("count", "alike"), [(50, 0.0), (200, 0.5), (200, 0.7)])
def test_a_great_change_is_seen_in_series_that_wander(count: int, alike: float) -> None:
    random = np.random.default_rng(7)
    seen = 0
    for _ in range(40):
        reference = {"a": random.normal(size=100)}
        recent = {"a": 6 + wandering(random, count, alike)}
        (one,) = compare(reference, recent, alarms=None, level=level(1, 10), smallest_effect=0.5)
        seen += one.drifted
        assert one.drifted or blind(reference, recent, level(1, 10))
    assert seen >= 38


def test_where_no_change_could_be_seen_that_is_said() -> None:
    random = np.random.default_rng(8)
    reference = {"a": random.normal(size=100), "b": random.normal(size=100), "c": np.ones(100)}
    recent = {"a": np.arange(50.0), "b": random.normal(size=50), "c": np.ones(50)}
    found = compare(reference, recent, alarms=None, level=level(1, 10), smallest_effect=0.5)
    assert not any(one.drifted for one in found)
    assert blind(reference, recent, level(1, 10)) == ("a",)


def test_chances_are_corrected_for_their_number() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_line_has_so_many_false_alarms_a_year() -> None:
    assert level(1.0, 10) == pytest.approx(6 / np.pi**2 / 3650)
    assert level(365, 1) < 0.5
    day = sum(level(1.0, 10, earlier) for earlier in range(10_000))
    assert day == pytest.approx(1 / 3650, rel=1e-3)
    assert day < 1 / 3650


def test_false_alarms_over_many_days_and_classes() -> None:
    """Reference and days from one distribution: wrong no more often than the level says."""
    random = np.random.default_rng(4)
    wanted, seen, days = 0.01, 0, 0
    for _ in range(60):
        reference = {name: random.gamma(2, size=60) for name in "abcdefg"}
        for _ in range(20):
            recent = {name: random.gamma(2, size=50) for name in "abcdefg"}
            found = compare(reference, recent, alarms=None, level=wanted, smallest_effect=0)
            seen += any(one.drifted for one in found)
            days += 1
    assert seen / days < 2.5 * wanted


def test_alarms_are_held_against_the_most_that_calibration_allows_for() -> None:
    nothing = {"score": np.arange(50.0)}
    few, many = (
        compare(
            nothing,
            nothing,
            alarms=(0.1, np.random.default_rng(6).permutation(np.arange(100) < count)),
            level=0.01,
            smallest_effect=0.5,
        )
        for count in (9, 40)
    )
    assert [one.drifted for one in few] == [False, False]
    assert [one.drifted for one in many] == [False, True]
    assert many[1].recent == 0.4


def test_a_difference_that_does_not_matter_is_none() -> None:
    random = np.random.default_rng(5)
    reference, recent = random.normal(size=20_000), random.normal(0.1, size=20_000)
    (one,) = compare({"a": reference}, {"a": recent}, alarms=None, level=0.01, smallest_effect=0.5)
    assert one.p < 1e-6
    assert not one.drifted


def reading(name: str, effect: float, p: float, *, drifted: bool = True) -> Reading:
    """One reading."""
    return Reading(name, 0, 0, effect, p, drifted)


def test_drift_counts_when_it_is_seen_twice_or_beyond_doubt() -> None:
    once, same = [reading("a", 1, 1e-4)], [reading("a", 2, 1e-4)]
    assert confirmed(once, None, 1e-3) == ()
    assert confirmed(once, same, 1e-3) == ("a",)
    assert confirmed(once, [reading("a", -2, 1e-4)], 1e-3) == (), "the other way"
    assert confirmed(once, [reading("b", 1, 1e-4)], 1e-3) == ()
    assert confirmed(once, [reading("a", 1, 1e-4, drifted=False)], 1e-3) == ()
    assert confirmed([reading("a", 1, 1e-7)], None, 1e-3) == ("a",)
