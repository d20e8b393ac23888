"""Metrics: AUROC against two other implementations, its interval, AUPRO, counts of decisions."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from patchae.intervals import newcombe_interval
from patchae.lineage.ranks import image_auroc
from patchae.model.metrics import aupro, auroc, auroc_interval, decisions

# Few different scores, so that ties are common.
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 30).map(lambda n: n / 4)), min_size=2, max_size=60
)


def _both_labels(rows: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    labels, scores = [label for label, _ in rows], [score for _, score in rows]
    assume(0 < sum(labels) < len(labels))
    return labels, scores


@given(ROWS)
def test_three_implementations_agree(rows: list[tuple[int, float]]) -> None:
    labels, scores = _both_labels(rows)
    value = auroc(labels, scores)
    assert value == pytest.approx(image_auroc(labels, scores), abs=1e-12)
    assert value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert 0 <= value <= 1


@given(ROWS, st.sampled_from([np.exp, np.cbrt, lambda x: 3 * x - 7, lambda x: -1 / (1 + x)]))
def test_auroc_knows_only_the_order(rows: list[tuple[int, float]], monotone: np.ufunc) -> None:
    labels, scores = _both_labels(rows)
    assert auroc(labels, monotone(np.array(scores))) == pytest.approx(auroc(labels, scores))
    assert auroc(labels, -np.array(scores)) == pytest.approx(1 - auroc(labels, scores))


@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1]])
def test_auroc_needs_good_and_defective(labels: list[int]) -> None:
    assert math.isnan(auroc(labels, [0.5] * len(labels)))


@given(ROWS)
def test_the_interval_holds_the_estimate(rows: list[tuple[int, float]]) -> None:
    labels, scores = _both_labels(rows)
    low, high = auroc_interval(labels, scores)
    assert 0 <= low <= auroc(labels, scores) <= high <= 1
    assert low < high


@given(ROWS)
def test_the_interval_knows_only_the_order(rows: list[tuple[int, float]]) -> None:
    labels, scores = _both_labels(rows)
    low, high = auroc_interval(labels, scores)
    assert auroc_interval(labels, np.exp(scores)) == (low, high)
    mirrored = auroc_interval(labels, -np.array(scores))
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-6)


@given(st.floats(0, 1), st.integers(2, 80), st.integers(2, 80), st.integers(2, 5))
def test_the_interval_narrows_with_images_and_widens_with_confidence(
    estimate: float, good: int, defective: int, times: int
) -> None:
    low, high = newcombe_interval(estimate, good, defective)
    more = newcombe_interval(estimate, times * good, times * defective)
    surer = newcombe_interval(estimate, good, defective, 0.99)
    limits = [surer[0], low, more[0], estimate, more[1], high, surer[1]]
    for one, next_ in pairwise(limits):
        assert one <= next_ + 1e-9, "the limits are found to about 1e-12"
    assert more[1] - more[0] < high - low < surer[1] - surer[0]


@given(st.floats(0.01, 0.99), st.integers(1, 200), st.integers(1, 200))
def test_each_limit_is_where_the_estimate_lies_z_deviations_away(
    estimate: float, good: int, defective: int
) -> None:
    others = (good + defective) / 2 - 1
    for t in newcombe_interval(estimate, good, defective):
        variance = t * (1 - t) * (1 + others * ((1 - t) / (2 - t) + t / (1 + t)))
        variance /= good * defective
        assert abs(t - estimate) == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-4)


def test_the_interval_of_a_perfect_auroc_is_no_point() -> None:
    labels = [0] * 12 + [1] * 30
    low, high = auroc_interval(labels, labels)
    assert high == 1
    assert 0.85 < low < 0.95  # Wilson's interval of 12 of 12 alone starts at 0.757, of 42 at 0.916


def test_one_good_and_one_defective_image_are_wilsons_interval_of_one_try() -> None:
    assert newcombe_interval(1.0, 1, 1) == pytest.approx((1 / (1 + 1.959964**2), 1.0))


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_no_interval_without_good_and_defective(labels: list[int]) -> None:
    assert all(math.isnan(limit) for limit in auroc_interval(labels, [0.5, 0.6]))


def _grid(text: str) -> np.ndarray:
    return np.array([[int(cell) for cell in row] for row in text.split()])


def test_aupro_by_hand() -> None:
    # Regions: one pixel, and three that meet at corners. Eight pixels of twelve are free.
    masks = _grid("1000 0010 0101")[None] > 0
    maps = _grid("9010 0700 0508")[None].astype(np.float32)
    # Thresholds 9, 8, 7, 5, 1, 0 give, free of 8: 0, 0, 1, 1, 2, 8; overlap of the first region:
    # 1 throughout; of the second, in thirds: 0, 1, 1, 2, 2, 3.
    before, jump = 4 / 6, 5 / 6  # the mean overlap up to rate 1/8, and from there to rate 2/8
    assert aupro(masks, maps, 1 / 8) == pytest.approx(before)
    # Level again from 1/8 to 2/8, then a line to (1, 1).
    assert aupro(masks, maps, 2 / 8) == pytest.approx((before + jump) / 2)
    whole = before / 8 + jump / 8 + (jump + 1) / 2 * 6 / 8
    assert aupro(masks, maps, 1.0) == pytest.approx(whole)
    # At 5/8, halfway along that line, the overlap is 11/12.
    part = before / 8 + jump / 8 + (jump + 11 / 12) / 2 * 3 / 8
    assert aupro(masks, maps, 5 / 8) == pytest.approx(part / (5 / 8))


PICTURES = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def _picture(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Masks with at least one region and free pixels, maps with many ties, (3, 12, 12) each."""
    masks = np.zeros((3, 12, 12), bool)
    for image in range(2):
        for _ in range(random.integers(1, 4)):
            y, x = random.integers(0, 9, 2)
            masks[image, y : y + random.integers(1, 4), x : x + random.integers(1, 4)] = True
    return masks, random.integers(0, 8, masks.shape).astype(np.float32) + masks


def _slow_aupro(masks: np.ndarray, maps: np.ndarray, limit: float) -> float:
    """The definition, threshold by threshold, integrated in many small steps."""
    labels = [scipy.ndimage.label(mask, structure=np.ones((3, 3)))[0] for mask in masks]
    points = [(0.0, 0.0)]
    for threshold in np.unique(maps)[::-1]:
        hit = maps >= threshold
        shares = [
            hit[image][of_image == region].mean()
            for image, of_image in enumerate(labels)
            for region in range(1, of_image.max() + 1)
        ]
        points.append((hit[~masks].mean(), float(np.mean(shares))))
    steps = (np.arange(200_000) + 0.5) / 200_000 * limit
    rates, overlaps = np.array(points).T
    rates = rates + np.arange(len(rates)) * 1e-12  # np.interp wants them to rise
    return float(np.interp(steps, rates, overlaps).mean())


@given(PICTURES, st.sampled_from([0.05, 0.3, 1.0]))
def test_aupro_agrees_with_its_definition(random: np.random.Generator, limit: float) -> None:
    masks, maps = _picture(random)
    assert aupro(masks, maps, limit) == pytest.approx(_slow_aupro(masks, maps, limit), abs=1e-4)


@given(PICTURES)
def test_aupro_knows_only_the_order(random: np.random.Generator) -> None:
    masks, maps = _picture(random)
    assert aupro(masks, np.exp(maps)) == pytest.approx(aupro(masks, maps))
    assert 0 <= aupro(masks, maps) <= 1 + 1e-6


@given(PICTURES)
def test_the_mask_itself_is_the_perfect_map(random: np.random.Generator) -> None:
    masks, _ = _picture(random)
    assert aupro(masks, masks.astype(np.float32)) == pytest.approx(1)
    assert aupro(masks, np.zeros(masks.shape, np.float32)) == pytest.approx(0.15)  # the diagonal
    assert aupro(masks, -masks.astype(np.float32)) == pytest.approx(0)


def test_a_small_region_weighs_as_much_as_a_large_one() -> None:
    masks = np.zeros((2, 20, 20), bool)
    masks[0, 2:12, 2:12] = masks[1, 5, 5] = True
    found = np.zeros(masks.shape, np.float32)
    for image, other in ((0, 1), (1, 0)):
        found[image], found[other] = masks[image], 0
        assert aupro(masks, found, 1e-6) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("mask", [False, True])
def test_aupro_needs_defective_and_free_pixels(mask: bool) -> None:
    assert math.isnan(aupro(np.full((1, 4, 4), mask), np.zeros((1, 4, 4))))


@given(st.lists(st.tuples(st.sampled_from(["good", "hole", "cut"]), st.booleans()), max_size=40))
def test_counts_of_decisions_add_up(rows: list[tuple[str, bool]]) -> None:
    defects, alarms = [kind for kind, _ in rows], [alarm for _, alarm in rows]
    labels = [int(kind != "good") for kind in defects]
    facts = decisions(labels, alarms, defects)
    kinds = facts["recall_by_defect"]
    assert facts["n_good"] + facts["n_defect"] == len(rows)
    assert set(kinds) == set(defects) - {"good"}
    assert sum(kind["n"] for kind in kinds.values()) == facts["n_defect"] == sum(labels)
    found = sum(kind["found"] for kind in kinds.values())
    false = sum(alarms) - found
    for share, part, whole in (
        ("recall", found, facts["n_defect"]), ("false_alarm_rate", false, facts["n_good"]),
    ):  # fmt: skip
        if whole:
            assert facts[share] == part / whole
        else:
            assert math.isnan(facts[share])
