"""Metrics: AUROC against two other implementations, and the counts of decisions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from patchae.lineage.ranks import image_auroc
from patchae.model.metrics import auroc, decisions

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
