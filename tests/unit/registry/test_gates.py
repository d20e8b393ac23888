"""The gate promotes only what was shown, and the same evidence always gets the same verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.config import Gates
from patchae.evidence.scores import Scored
from patchae.files import canonical_json
from patchae.registry.evidence import Alarms, Evidence, evidence_of, rival_of, unscored_rival
from patchae.registry.gates import judge
from patchae.registry.verdict import MEANING, Reason, Verdict
from patchae.registry.wording import explain, explain_row
from tests.support import ROOT, examples
from tests.support.registry.memory import evidence, rival

DOCS = ROOT / "docs" / "gates.md"

law = settings(deadline=None, max_examples=examples(60))  # a busy machine is no fault of the gate

shares = st.floats(0, 1)
gates = st.builds(
    Gates,
    confidence=st.sampled_from([0.8, 0.95, 0.99]),
    min_image_auroc=shares,
    max_drop=shares,
    min_recall=shares,
    max_false_alarms=shares,
    broken_promise=st.sampled_from(["hold", "reject", "allow"]),
    max_ms_per_image=st.none() | st.floats(1, 100),
    min_test_good=st.integers(1, 12),
    min_test_defect=st.integers(1, 12),
)


def row(number: int, label: int, score: float, threshold: float = 50.0) -> Scored:
    """A test image; `number` names it."""
    defect = ("hole", "scratch")[number % 2] if label else "good"
    return Scored(f"{number:03d}.png", f"{number:064x}", defect, label, score, score > threshold)


@st.composite
def both_scored(draw: st.DrawFn) -> tuple[list[Scored], list[Scored]]:
    """The same test images under a model and under the champion."""
    n, m = draw(st.integers(0, 14)), draw(st.integers(0, 14))
    labels = draw(st.permutations([0] * n + [1] * m))
    drawn = [draw(st.lists(st.integers(0, 100), min_size=n + m, max_size=n + m)) for _ in range(2)]
    both = [
        [row(i, label, scores[i] + 30.0 * label) for i, label in enumerate(labels)]
        for scores in drawn
    ]
    return both[0], both[1]


def told(rows: list[Scored], own: list[Scored] | None = None, **changes: Any) -> Evidence:
    """The evidence that scores give."""
    champion = None if own is None else rival_of("7", rows, own, then=own, data_recorded=None)
    values = {
        "champion": champion,
        "ms_per_image": 31.0,
        "validation_passed": True,
        "lineage_complete": True,
        "data_recorded": None,
    }
    return evidence_of(rows, **{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "outcome", "reasons"),
    [
        ({}, "promote", ["auroc_reaches_minimum", "first_champion", "few_false_alarms"]),
        (
            {"champion_auroc": 0.97},
            "promote",
            ["auroc_reaches_minimum", "not_worse_than_champion", "few_false_alarms"],
        ),
        ({"champion_auroc": 0.985}, "hold", ["comparison_uncertain"]),
        (
            {"auroc": 0.94, "champion_auroc": 0.999, "n_good": 200, "n_defect": 200},
            "reject",
            ["worse_than_champion"],
        ),
        ({"auroc": 0.91}, "hold", ["auroc_uncertain"]),
        ({"auroc": 0.8}, "reject", ["auroc_below_minimum"]),
        (
            {"auroc": 0.8, "champion_auroc": 0.95},
            "reject",
            ["auroc_below_minimum", "worse_than_champion"],
        ),
        ({"n_good": 4}, "hold", ["too_few_test_images"]),
        ({"n_defect": 4, "auroc": 0.1}, "hold", ["too_few_test_images"]),
        ({"n_defect": 0, "auroc": None}, "hold", ["too_few_test_images"]),
        ({"validation_passed": False, "n_good": 0}, "reject", ["validation_failed"]),
        (
            {"validation_passed": False, "lineage_complete": False},
            "reject",
            ["validation_failed", "lineage_incomplete"],
        ),
        ({"false_alarms": Alarms(8, 40)}, "hold", ["false_alarms_uncertain"]),
        (  # as a class of MVTec AD did: 2 % asked for, 3 of 20 found
            {"n_good": 20, "false_alarms": Alarms(3, 20), "promised": 0.02},
            "hold",
            ["false_alarms_uncertain", "promise_not_kept"],
        ),
        (
            {"n_good": 200, "false_alarms": Alarms(14, 200), "promised": 0.02},
            "hold",
            ["promise_not_kept"],
        ),
        ({"false_alarms": Alarms(35, 40)}, "reject", ["too_many_false_alarms"]),
    ],
)
def test_outcomes(changes: dict[str, Any], outcome: str, reasons: list[str]) -> None:
    verdict = judge(evidence(**changes), Gates())
    assert (verdict.outcome, list(verdict.reasons)) == (outcome, reasons)


@pytest.mark.parametrize(
    ("asked", "outcome", "reason"),
    [
        ({"min_recall": 0.5}, "hold", "recall_uncertain"),
        ({"min_recall_of": {"scratch": 0.9}}, "reject", "recall_below_minimum"),
        ({"min_recall_of": {"dent": 0.1}}, "hold", "recall_uncertain"),
        ({"max_ms_per_image": 30.0}, "reject", "too_slow"),
        ({"max_ms_per_image": 32.0}, "promote", "fast_enough"),
        ({"min_recall_of": {"hole": 0.9}}, "promote", "recall_reaches_minimum"),
    ],
)
def test_limits_that_are_asked_for(asked: dict[str, Any], outcome: str, reason: str) -> None:
    found = evidence(recall={"hole": Alarms(40, 40), "scratch": Alarms(8, 20)})
    verdict = judge(found, Gates(**asked))
    assert verdict.outcome == outcome
    assert reason in verdict.reasons


def test_a_perfect_result_on_few_images_is_held_and_says_how_many_would_do() -> None:
    rows = [row(i, i >= 8, 100.0 * (i >= 8)) for i in range(20)]
    verdict = judge(told(rows), Gates(max_false_alarms=1))
    assert (verdict.outcome, list(verdict.reasons)) == ("hold", ["auroc_uncertain"])
    (finding,) = verdict.decisive
    assert finding.value == 1
    assert finding.low is not None
    assert finding.low < 0.9
    n, m = 8 + (finding.more_good or 0), 12 + (finding.more_defect or 0)
    assert n + m > 20
    enough = [row(i, i >= n, 100.0 * (i >= n)) for i in range(n + m)]
    assert judge(told(enough), Gates(max_false_alarms=1)).outcome == "promote"


def test_the_margin_is_kept_to_the_last_digit() -> None:
    # 0.8 - 0.1 is 0.7000000000000001 in floating point; alike models have no interval.
    same = rival(0.97, 0.97)
    assert same.paired is not None
    one = same.paired.champion.good_variance
    alike = replace(same.paired, good_covariance=one, defect_covariance=one, alike=True)
    found = evidence(champion=same.model_copy(update={"paired": alike}))
    assert judge(found, Gates(max_drop=0.0)).outcome == "promote"


def test_older_data_never_replaces_newer() -> None:
    newer = rival(0.97, 0.97, data_recorded="2026-05-02T00:00:00+00:00")
    older = {"champion": newer, "data_recorded": "2026-05-01T00:00:00+00:00"}
    verdict = judge(evidence(**older), Gates())
    assert (verdict.outcome, list(verdict.reasons)) == ("reject", ["older_data"])
    assert judge(evidence(**older), Gates(older_data="allow")).outcome == "promote"
    unknown = {**older, "data_recorded": None}
    assert judge(evidence(**unknown), Gates()).outcome == "promote"


def test_a_champion_that_cannot_be_scored_is_a_matter_for_a_person() -> None:
    verdict = judge(evidence(champion=unscored_rival("3", "its format is not known")), Gates())
    assert (verdict.outcome, list(verdict.reasons)) == ("hold", ["champion_not_comparable"])
    assert "champion version 3 cannot be compared with: its format is not known" in explain(verdict)


@law
@given(both_scored(), gates, st.booleans(), st.randoms(use_true_random=False))
def test_verdicts_depend_on_ranks_alone_and_on_no_order(
    both: tuple[list[Scored], list[Scored]], rules: Gates, alone: bool, random: Any
) -> None:
    rows, own = both
    verdict = judge(told(rows, None if alone else own), rules)

    def bent(scored: list[Scored]) -> list[Scored]:
        return [replace(one, score=one.score**3 / 1e5) for one in scored]

    other = judge(told(bent(rows), None if alone else bent(own)), rules)
    assert (other.outcome, other.reasons) == (verdict.outcome, verdict.reasons)
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = [rows[i] for i in order]
    again = judge(told(shuffled, None if alone else own), rules)
    assert (again.outcome, again.reasons) == (verdict.outcome, verdict.reasons)


@law
@given(both_scored(), gates, st.booleans(), st.integers(1, 5), st.booleans())
def test_evidence_in_favour_never_turns_promote_into_reject(
    both: tuple[list[Scored], list[Scored]], rules: Gates, alone: bool, more: int, defective: bool
) -> None:
    rows, own = both
    if judge(told(rows, None if alone else own), rules).outcome != "promote":
        return
    # More images on which the model could not do better, and the champion no better either.
    score = 1000.0 if defective else -1.0
    added = [row(1000 + i, int(defective), score) for i in range(more)]
    better = judge(told(rows + added, None if alone else own + added), rules)
    assert better.outcome != "reject"


@law
@given(both_scored(), gates)
def test_a_defect_that_scores_higher_is_never_held_against_a_model(
    both: tuple[list[Scored], list[Scored]], rules: Gates
) -> None:
    rows, own = both
    if judge(told(rows, own), rules).outcome != "promote":
        return
    raised = [replace(r, score=1000.0, decision=1) if r.label else r for r in rows]
    assert judge(told(raised, own), rules).outcome != "reject"


@law
@given(both_scored(), gates, gates, st.booleans())
def test_a_stricter_gate_never_promotes_more(
    both: tuple[list[Scored], list[Scored]], one: Gates, two: Gates, alone: bool
) -> None:
    found = told(both[0], None if alone else both[1])
    speeds = [g.max_ms_per_image for g in (one, two) if g.max_ms_per_image is not None]
    stricter = Gates(
        confidence=max(one.confidence, two.confidence),
        min_image_auroc=max(one.min_image_auroc, two.min_image_auroc),
        max_drop=min(one.max_drop, two.max_drop),
        min_recall=max(one.min_recall, two.min_recall),
        max_false_alarms=min(one.max_false_alarms, two.max_false_alarms),
        max_ms_per_image=min(speeds, default=None),
        min_test_good=max(one.min_test_good, two.min_test_good),
        min_test_defect=max(one.min_test_defect, two.min_test_defect),
    )
    if judge(found, stricter).outcome == "promote":
        assert judge(found, one).outcome == judge(found, two).outcome == "promote"


@law
@given(both_scored(), gates, st.booleans(), st.booleans(), st.booleans())
def test_a_verdict_survives_the_ledger_can_be_judged_again_and_has_a_sentence(
    both: tuple[list[Scored], list[Scored]],
    rules: Gates,
    alone: bool,
    valid: bool,
    complete: bool,
) -> None:
    facts = {"validation_passed": valid, "lineage_complete": complete}
    verdict = judge(told(both[0], None if alone else both[1], **facts), rules)
    body = verdict.to_body("3", scores_sha256="a" * 64)
    canonical_json(body)  # NaN would raise
    again = Verdict.from_body(body)
    assert again == verdict
    assert judge(Evidence.from_dict(again.evidence), Gates(**again.policy)) == verdict
    assert verdict.reasons
    sentence = explain(verdict)
    assert sentence
    assert "None" not in sentence
    assert "nan" not in sentence


def test_sentences_hold_the_numbers() -> None:
    def said(rules: Gates | None = None, **changes: Any) -> str:
        return explain(judge(evidence(**changes), rules or Gates(max_false_alarms=1)))

    assert said() == (
        "image AUROC 0.970 (0.928 to 0.988) reaches 0.900 and there is no champion yet"
    )
    assert said(auroc=0.7) == "image AUROC 0.700 (0.622 to 0.768) lies below 0.900"
    assert said(auroc=0.91) == (
        "image AUROC 0.910 (0.853 to 0.946) may lie below 0.900; about 1044 more good and 1023 more"
        " defective test images would decide"
    )
    assert said(champion_auroc=0.97, champion_version="4") == (
        "image AUROC 0.970 (0.928 to 0.988) reaches 0.900 and it is not worse than champion"
        " version 4 by more than 0.03 (+0.000, -0.027 to +0.027)"
    )
    assert said(n_good=2) == (
        "2 good and 60 defective test images are too few to decide; 3 more good are needed"
    )
    assert said(validation_passed=False, lineage_complete=False) == (
        "the images did not pass validation and the lineage record is not complete"
    )
    found = {"recall": {"hole": Alarms(3, 20)}}
    assert said(Gates(min_recall=0.5), **found) == (
        "recall of 'hole' 0.150 (0.032 to 0.379) lies below 0.500"
    )
    assert said(Gates(), false_alarms=Alarms(20, 20)) == (
        "false-alarm rate 1.000 (0.832 to 1.000) exceeds 0.200"
    )
    assert said(false_alarms=Alarms(14, 200), promised=0.02, n_good=200) == (
        "false-alarm rate 0.070 (0.039 to 0.115) breaks the 0.020 that was promised"
    )
    assert "agrees with the 0.020 that was promised" in said(promised=0.02)
    assert said(Gates(max_ms_per_image=5)) == "31 ms per image are more than 5 ms"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outcome": "promote", "reasons": ["because"], "findings": [], "evidence": {}},
        {"outcome": "yes", "reasons": [], "findings": [], "evidence": {}, "policy": {}},
        {"outcome": "promote", "reasons": 3, "findings": [], "evidence": {}, "policy": {}},
    ],
)
def test_what_is_no_verdict_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"verdict|because|yes"):
        Verdict.from_body(body)


def test_a_row_of_a_newer_patchae_is_told_in_its_own_codes() -> None:
    body = {**judge(evidence(), Gates()).to_body("1", scores_sha256=""), "reasons": ["too_heavy"]}
    assert explain_row(body) == "its reasons cannot be read (too_heavy)"
    assert explain_row({}) == "its reasons cannot be read"


@pytest.mark.parametrize("change", [{"n_good": "20"}, {"colour": 1}, {"image_auroc": 0.9}])
def test_what_is_no_evidence_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Evidence"):
        Evidence.from_dict({**evidence().to_dict(), **change})


def test_scores_of_other_images_are_not_compared() -> None:
    rows = [row(i, i % 2, float(i)) for i in range(8)]
    with pytest.raises(ValueError, match="other images"):
        rival_of("1", rows, rows[:-1], then=None, data_recorded=None)
    changed = [*rows[:-1], replace(rows[-1], sha256="f" * 64)]
    with pytest.raises(ValueError, match="other images"):
        rival_of("1", rows, changed, then=None, data_recorded=None)


def test_the_champions_old_number_is_kept_beside_the_one_of_today() -> None:
    rows = [row(i, i % 2, float(i)) for i in range(20)]
    old = [row(100 + i, i % 2, 50.0 * (i % 2)) for i in range(10)]
    found = rival_of("1", rows, rows, then=old, data_recorded=None)
    assert (found.image_auroc_then, found.same_images) == (1, False)
    assert found.paired is not None
    assert found.paired.champion.auroc == pytest.approx(0.55)
    sentence = explain(
        judge(
            told(rows).model_copy(update={"champion": found}),
            Gates(min_image_auroc=0, max_drop=0.9, max_false_alarms=1),
        )
    )
    assert "on its own test images the champion had 1.000, on these it has 0.550" in sentence
    same = rival_of("1", rows, rows, then=rows, data_recorded=None)
    assert same.same_images is True
    assert "own test images" not in explain(
        judge(
            told(rows).model_copy(update={"champion": same}), Gates(min_image_auroc=0, max_drop=0.9)
        )
    )


def test_the_docs_list_every_reason_with_its_meaning() -> None:
    text = DOCS.read_text()
    assert set(MEANING) == set(Reason)
    for reason, meaning in MEANING.items():
        assert f"| `{reason}` | {meaning} |" in text
