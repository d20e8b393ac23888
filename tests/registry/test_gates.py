"""The gate promotes only what was shown, and the same evidence always gets the same verdict."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.config import Gates
from patchae.files import canonical_json
from patchae.registry.gates import MEANING, Evidence, Reason, Verdict, explain, judge
from tests.registry.memory import evidence

DOCS = Path(__file__).parents[2] / "docs" / "ledger.md"

law = settings(deadline=None)  # a busy machine is no fault of the gate

shares = st.floats(0, 1)
gates = st.builds(
    Gates,
    min_image_auroc=shares,
    max_drop=shares,
    min_test_good=st.integers(1, 20),
    min_test_defect=st.integers(1, 20),
)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    champion = draw(st.none() | st.just("7"))
    return Evidence(
        n_good=draw(st.integers(0, 20)),
        n_defect=draw(st.integers(0, 20)),
        image_auroc=draw(shares | st.just(math.nan)),
        champion=champion,
        champion_image_auroc=None if champion is None else draw(shares | st.just(math.nan)),
        validation_passed=draw(st.booleans()),
        lineage_complete=draw(st.booleans()),
    )


@pytest.mark.parametrize(
    ("changes", "outcome", "reasons"),
    [
        ({}, "promote", ["first_champion"]),
        (
            {"champion": "2", "champion_image_auroc": 0.97},
            "promote",
            ["at_least_as_good_as_champion"],
        ),
        ({"champion": "2", "champion_image_auroc": 0.98}, "reject", ["worse_than_champion"]),
        ({"image_auroc": 0.89}, "reject", ["auroc_below_minimum"]),
        (
            {"image_auroc": 0.8, "champion": "2", "champion_image_auroc": 0.9},
            "reject",
            ["auroc_below_minimum", "worse_than_champion"],
        ),
        ({"n_good": 4}, "hold", ["too_few_test_images"]),
        ({"n_defect": 4, "image_auroc": 0.1}, "hold", ["too_few_test_images"]),
        ({"n_defect": 0, "image_auroc": math.nan}, "hold", ["too_few_test_images"]),
        ({"validation_passed": False, "n_good": 0}, "reject", ["validation_failed"]),
        (
            {"validation_passed": False, "lineage_complete": False},
            "reject",
            ["validation_failed", "lineage_incomplete"],
        ),
        ({"lineage_complete": False}, "reject", ["lineage_incomplete"]),
        ({"image_auroc": math.nan}, "reject", ["auroc_below_minimum"]),
    ],
)
def test_outcomes(changes: dict[str, object], outcome: str, reasons: list[str]) -> None:
    verdict = judge(evidence(**changes), Gates())
    assert (verdict.outcome, list(verdict.reasons)) == (outcome, reasons)


def test_a_drop_of_exactly_what_is_allowed_passes() -> None:
    # 0.8 - 0.1 is 0.7000000000000001 in floating point.
    rules = Gates(min_image_auroc=0.5, max_drop=0.1)
    equal = evidence(image_auroc=0.7, champion="1", champion_image_auroc=0.8)
    assert judge(equal, rules).outcome == "promote"
    below = evidence(image_auroc=0.699, champion="1", champion_image_auroc=0.8)
    assert judge(below, rules).outcome == "reject"


@law
@given(evidences(), gates)
def test_what_is_not_a_number_never_promotes(found: Evidence, rules: Gates) -> None:
    verdict = judge(found, rules)
    if math.isnan(found.image_auroc) or (
        found.champion_image_auroc is not None and math.isnan(found.champion_image_auroc)
    ):
        assert verdict.outcome != "promote"


@law
@given(evidences(), gates, gates)
def test_a_stricter_gate_never_promotes_more(found: Evidence, one: Gates, two: Gates) -> None:
    stricter = Gates(
        min_image_auroc=max(one.min_image_auroc, two.min_image_auroc),
        max_drop=min(one.max_drop, two.max_drop),
        min_test_good=max(one.min_test_good, two.min_test_good),
        min_test_defect=max(one.min_test_defect, two.min_test_defect),
    )
    if judge(found, stricter).outcome == "promote":
        assert judge(found, one).outcome == judge(found, two).outcome == "promote"


@law
@given(evidences(), gates, shares)
def test_a_higher_auroc_is_never_held_against_a_model(
    found: Evidence, rules: Gates, higher: float
) -> None:
    better = Evidence(**{**vars(found), "image_auroc": max(found.image_auroc, higher)})
    if judge(found, rules).outcome == "promote":
        assert judge(better, rules).outcome == "promote"


@law
@given(evidences(), gates)
def test_a_verdict_survives_the_ledger_and_can_be_judged_again(
    found: Evidence, rules: Gates
) -> None:
    verdict = judge(found, rules)
    body = verdict.to_body("3", scores_sha256="a" * 64)
    canonical_json(body)  # NaN would raise
    again = Verdict.from_body(body)
    assert again == verdict
    assert judge(Evidence.from_dict(again.evidence), Gates(**again.policy)) == verdict


@law
@given(evidences(), gates)
def test_every_verdict_has_reasons_and_a_sentence(found: Evidence, rules: Gates) -> None:
    verdict = judge(found, rules)
    assert verdict.reasons
    sentence = explain(verdict)
    assert sentence
    assert "None" not in sentence
    assert "nan" not in sentence


def test_sentences_hold_the_numbers() -> None:
    def said(rules: Gates | None = None, **changes: object) -> str:
        return explain(judge(evidence(**changes), rules or Gates()))

    assert said() == "image AUROC 0.970 reaches the minimum 0.900 and there is no champion yet"
    assert said(image_auroc=0.712) == "image AUROC 0.712 is below the minimum 0.900"
    assert said(image_auroc=0.89996) == "image AUROC 0.89996 is below the minimum 0.90000"
    assert said(image_auroc=math.nan) == "image AUROC undefined is below the minimum 0.900"
    assert (
        said(Gates(max_drop=0.01), champion="4", champion_image_auroc=0.99)
        == "image AUROC 0.970 is below 0.990 of champion version 4 by more than 0.01"
    )
    assert (
        said(champion="4", champion_image_auroc=0.97)
        == "image AUROC 0.970 holds against 0.970 of champion version 4"
    )
    assert said(n_good=2).startswith("2 good and 30 defective test images are too few")
    assert (
        said(validation_passed=False, lineage_complete=False)
        == "the images did not pass validation and the lineage record is not complete"
    )


def test_a_champion_without_its_auroc_cannot_be_judged_against() -> None:
    with pytest.raises(ValueError, match="both or neither"):
        evidence(champion="2")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outcome": "promote", "reasons": ["because"], "evidence": {}, "policy": {}},
        {"outcome": "yes", "reasons": [], "evidence": {}, "policy": {}},
        {"outcome": "promote", "reasons": 3, "evidence": {}, "policy": {}},
    ],
)
def test_what_is_no_verdict_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"verdict|because|yes"):
        Verdict.from_body(body)


@pytest.mark.parametrize("change", [{"n_good": "20"}, {"colour": 1}, {"image_auroc": "0.9"}])
def test_what_is_no_evidence_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected a number|not the evidence"):
        Evidence.from_dict({**evidence().to_dict(), **change})


def test_the_docs_list_every_reason_with_its_meaning() -> None:
    text = DOCS.read_text()
    assert set(MEANING) == set(Reason)
    for reason, meaning in MEANING.items():
        assert f"| `{reason}` | {meaning} |" in text
