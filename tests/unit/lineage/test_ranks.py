"""AUROC is the share of pairs in order, whatever monotone scale the scores are on."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from patchae.evidence.scores import read_scores
from patchae.lineage.ranks import image_auroc

ranked = st.lists(st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=1, max_size=30)


@settings(deadline=None)
@given(ranked)
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, int]]) -> None:
    good = [score for label, score in rows if label == 0]
    defective = [score for label, score in rows if label == 1]
    found = image_auroc([label for label, _ in rows], [float(score) for _, score in rows])
    if not good or not defective:
        assert math.isnan(found)
        return
    won = sum((d > g) + (d == g) / 2 for d in defective for g in good)
    assert found == pytest.approx(won / len(good) / len(defective), abs=1e-12)


@settings(deadline=None)
@given(ranked, st.randoms(use_true_random=False))
def test_auroc_depends_only_on_the_order_of_scores(
    rows: list[tuple[int, int]], random: Any
) -> None:
    labels, scores = [label for label, _ in rows], [float(score) for _, score in rows]
    found = image_auroc(labels, scores)
    assume(not math.isnan(found))
    assert image_auroc(labels, [math.exp(score) + 3 for score in scores]) == found
    random.shuffle(rows)
    assert image_auroc([label for label, _ in rows], [float(s) for _, s in rows]) == found
    assert image_auroc([1 - label for label in labels], scores) == pytest.approx(1 - found)


@pytest.mark.parametrize(
    "line", ["a,b,c", "p,s,good,2,0.1,0", "p,s,good,0,nan,0", "p,s,good,0,x,0", "p,s,good,0,1,"]
)
def test_a_score_that_cannot_be_is_refused(line: str) -> None:
    header = "path,sha256,defect,label,score,decision\n"
    assert read_scores(header) == []
    with pytest.raises(ValueError, match=r"line 2|could not convert"):
        read_scores(header + line + "\n")
