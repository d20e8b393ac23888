"""verify.py computes with code of its own; here it is held against patchae and against others.

Intervals and verdicts against patchae's gate, which uses numpy and scipy; the JSON Schema part
against `jsonschema`; signatures against `cryptography` and the vectors of RFC 8032.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from patchae.config import Gates
from patchae.evidence.auroc import Measured
from patchae.evidence.counts import share_interval
from patchae.evidence.paired import Paired
from patchae.evidence.scores import Scored
from patchae.intervals import newcombe_interval
from patchae.lineage import schema
from patchae.lineage.bundle import verify
from patchae.registry.chain import Entry
from patchae.registry.evidence import evidence_of, rival_of, unscored_rival
from patchae.registry.gates import judge
from patchae.registry.standing import champion_of
from tests.support import examples
from tests.support.lineage.builder import Built
from tests.support.registry.memory import MODEL

CLOSE = 1e-9
FEW_SCORES = st.integers(0, 12).map(lambda value: value / 10)  # with many ties
SHARES = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])


@st.composite
def scored(draw: st.DrawFn) -> tuple[list[Scored], list[Scored]]:
    """A model and another one on the same images, few of them and with ties, or many."""
    rows, other = [], []
    kinds = draw(st.lists(st.sampled_from(["good", "good", "hole", "crack"]), max_size=40))
    for number, kind in enumerate(kinds):
        label, path = int(kind != "good"), f"{number:03d}.png"
        for table in (rows, other):
            score = draw(FEW_SCORES) + label * draw(st.sampled_from([0.0, 0.3, 1.5]))
            table.append(Scored(path, path, kind, label, score, int(score > 1)))
    return rows, other


POLICIES = st.builds(
    Gates,
    confidence=st.sampled_from([0.8, 0.95, 0.99]),
    min_image_auroc=SHARES,
    max_drop=SHARES,
    min_recall=SHARES,
    min_recall_of=st.dictionaries(st.sampled_from(["hole", "dust"]), SHARES, max_size=2),
    max_false_alarms=SHARES,
    broken_promise=st.sampled_from(["hold", "reject", "allow"]),
    max_ms_per_image=st.sampled_from([None, 10.0, 50.0]),
    older_data=st.sampled_from(["reject", "allow"]),
    min_test_good=st.integers(1, 8),
    min_test_defect=st.integers(1, 8),
)
DATES = st.sampled_from([None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])


@settings(deadline=None, max_examples=examples(300))
@given(
    tables=scored(),
    policy=POLICIES,
    dates=st.tuples(DATES, DATES),
    ms=st.sampled_from([None, 31.0]),
    facts=st.tuples(st.booleans(), st.booleans()),
    beside=st.sampled_from(["none", "scored", "unscored"]),
    promised=st.sampled_from([None, 0.0, 0.02, 0.3]),
)
def test_the_gate_decides_the_same(
    tables: tuple[list[Scored], list[Scored]],
    *,
    policy: Gates,
    dates: tuple[str | None, str | None],
    ms: float | None,
    facts: tuple[bool, bool],
    beside: str,
    promised: float | None,
) -> None:
    rows, other = tables
    rival = {
        "none": lambda: None,
        "scored": lambda: rival_of("4", rows, other, then=None, data_recorded=dates[1]),
        "unscored": lambda: unscored_rival("4", "its files are gone"),
    }[beside]()
    evidence = evidence_of(
        rows,
        champion=rival,
        ms_per_image=ms,
        validation_passed=facts[0],
        lineage_complete=facts[1],
        data_recorded=dates[0],
        promised=promised,
    )
    told = judge(evidence, policy).to_body("1", scores_sha256="")
    outcome, reasons, findings = verify.judge(told["evidence"], told["policy"])
    assert (outcome, reasons) == (told["outcome"], told["reasons"])
    without = [
        {key: one[key] for key in one if not key.startswith("more_")} for one in told["findings"]
    ]
    assert verify.close(findings, json.loads(json.dumps(without)))
    shown = verify.evidence_of([vars(row) for row in rows])
    assert verify.close(shown, {key: told["evidence"][key] for key in shown})
    if beside == "scored":
        found = verify.paired([vars(row) for row in rows], [row.score for row in other])
        assert verify.close(found, told["evidence"]["champion"]["paired"])


@settings(deadline=None)
@given(
    n=st.integers(1, 3000), share=st.floats(0, 1), confidence=st.sampled_from([0.5, 0.95, 0.999])
)
def test_the_interval_of_a_share(n: int, share: float, confidence: float) -> None:
    found = round(share * n)
    told = verify.share_interval({"found": found, "n": n}, confidence)
    assert told == pytest.approx(share_interval(found, n, confidence), abs=CLOSE)


@settings(deadline=None)
@given(n=st.integers(1, 3000), share=st.floats(0, 1), p=st.floats(0, 1))
def test_the_tail_of_the_binomial_distribution(n: int, share: float, p: float) -> None:
    k = max(1, round(share * n))
    assert verify.binomial_tail(k, n, p) == pytest.approx(binom.sf(k - 1, n, p), abs=CLOSE)


@settings(deadline=None)
@given(a=st.floats(0, 1), n=st.integers(1, 500), m=st.integers(1, 500))
def test_newcombes_interval(a: float, n: int, m: int) -> None:
    assert verify.newcombe(a, n, m, 0.95) == pytest.approx(
        newcombe_interval(a, n, m, 0.95), abs=CLOSE
    )


@settings(deadline=None)
@given(scored())
def test_intervals_of_auroc_and_of_the_difference(
    tables: tuple[list[Scored], list[Scored]],
) -> None:
    rows, other = tables
    labels, scores = [row.label for row in rows], [row.score for row in rows]
    if min(labels.count(0), labels.count(1)) < 2:
        assert verify.components(labels, scores) is None
        return
    one = verify.measured(verify.components(labels, scores))
    assert one is not None
    expected = Measured.of(labels, scores)
    assert one == pytest.approx(vars(expected), abs=1e-12)
    assert verify.auroc_interval(one, 0.9) == pytest.approx(expected.interval(0.9), abs=CLOSE)
    both = verify.paired([vars(row) for row in rows], [row.score for row in other])
    assert both is not None
    paired = Paired.of(labels, scores, [row.score for row in other])
    assert verify.paired_interval(both, 0.9) == pytest.approx(paired.interval(0.9), abs=CLOSE)


# What the ledger says

VERSIONS = st.sampled_from("123")
BODIES = st.tuples(st.just("move"), VERSIONS, st.sampled_from(["promoted", "rolled_back"])) | (
    st.tuples(st.just("retired"), VERSIONS, st.just(""))
)


@given(st.lists(BODIES, max_size=12))
def test_champion_and_previous_after_all_moves(rows: list[tuple[Any, str, str]]) -> None:
    bodies = [
        {"version": version, "reason": ""}
        if kind == "retired"
        else {"to": version, "why": why, "from": None, "reason": "", "verdict": None}
        for kind, version, why in rows
    ]
    entries = [
        Entry(1, "", kind, MODEL, "", "", "", body, "", "")
        for (kind, _, _), body in zip(rows, bodies, strict=True)
    ]
    assert verify.standing([vars(one) for one in entries]) == champion_of(entries).aliases()


# JSON Schema

SCHEMA = json.loads(schema.FILE.read_text())
# No floats such as 1.0: JSON Schema takes them for whole numbers, a record does not.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(-1, 2).filter(lambda one: one % 1)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(below, (*path, key))
    return found


@settings(deadline=None, max_examples=examples(300))
@given(data=st.data(), value=VALUES)
def test_a_record_fits_the_schema_exactly_when_jsonschema_says_so(
    honest: Built, data: st.DataObject, value: Any
) -> None:
    record = json.loads((honest.artifacts / "lineage.json").read_text())
    assert list(verify.schema_problems(record, SCHEMA, SCHEMA)) == []
    *path, last = data.draw(st.sampled_from(places(record)[1:]))
    part = record
    for key in path:
        part = part[key]
    if data.draw(st.booleans()):
        part[last] = value
    elif isinstance(part, dict):
        del part[last]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    problems = list(verify.schema_problems(record, SCHEMA, SCHEMA))
    assert bool(problems) == (not validator.is_valid(record)), problems


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        (True, {"type": "integer"}),
        (True, {"type": "number"}),
        (1, {"type": "boolean"}),
        (1.0, {"type": "integer"}),
        (True, {"const": 1}),
        ("a\n", {"pattern": "^a$"}),
        ("٣", {"pattern": r"^\d$"}),
        ({"a": 1}, {"additionalProperties": False}),
        ({"": 1}, {"propertyNames": {"minLength": 1}}),
        ([1], {"minItems": 2}),
        ([1, 2, 3], {"maxItems": 2}),
        ({}, {"minProperties": 1}),
        (0, {"minimum": 1}),
        (2, {"maximum": 1}),
        (1, {"a rule of tomorrow": 1}),
        ([0, ""], {"items": {"type": "integer"}}),
        (1, False),
    ],
)
def test_what_breaks_a_rule(value: Any, rules: Any) -> None:
    assert list(verify.schema_problems(value, rules, {}))


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        (1, {"type": "number", "minLength": 5, "minItems": 1, "required": ["a"], "pattern": "a"}),
        ("a", {"minimum": 5, "properties": {"a": False}, "items": False}),
        ({"a": 1}, {"additionalProperties": True, "properties": {"a": {"enum": [1, "b"]}}}),
        ("ü" * 3, {"minLength": 3}),
    ],
)
def test_what_keeps_the_rules(value: Any, rules: Any) -> None:
    assert list(verify.schema_problems(value, rules, {})) == []


# Signatures

VECTORS = {
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a": (
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c": (
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025": (
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf": (
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}
"""RFC 8032, section 7.1: tests 1 to 3 and SHA(abc)."""


@pytest.mark.parametrize("key", VECTORS)
def test_the_vectors_of_the_rfc(key: str) -> None:
    message, signature = VECTORS[key]
    content = bytes.fromhex(message)
    assert verify.signature_holds(key, signature, content)
    assert not verify.signature_holds(key, signature, content + b"\0")


@settings(deadline=None, max_examples=examples(60))
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=80), data=st.data())
def test_signatures_as_cryptography_makes_and_judges_them(
    seed: bytes, message: bytes, data: st.DataObject
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert verify.signature_holds(public.hex(), signature.hex(), message)
    at, bit = data.draw(st.integers(0, 95)), data.draw(st.integers(0, 7))
    both = bytearray(public + signature)
    both[at] ^= 1 << bit
    assert not verify.signature_holds(both[:32].hex(), both[32:].hex(), message)


def test_a_signature_whose_number_is_too_large_is_none() -> None:
    """The same signature with the order of the group added would hold a second time."""
    key, (message, signature) = next(iter(VECTORS.items()))
    s = (
        int.from_bytes(bytes.fromhex(signature[64:]), "little")
        + 2**252
        + (27742317777372353535851937790883648493)
    )
    other = signature[:64] + s.to_bytes(32, "little").hex()
    assert not verify.signature_holds(key, other, bytes.fromhex(message))


@pytest.mark.parametrize(
    ("key", "signature"),
    [("", ""), ("zz", "00"), ("00" * 32, "00" * 63), ("ff" * 32, "00" * 64), (None, None)],
)
def test_what_is_no_signature(key: Any, signature: Any) -> None:
    assert not verify.signature_holds(key, signature, b"")


def test_a_copy_is_close_and_a_change_is_not() -> None:
    value = {"a": [1, 2.0, None, True, "x"]}
    assert verify.close(value, copy.deepcopy(value))
    assert verify.close({"a": 1}, {"a": 1.0 + 1e-10})
    for other in ({"a": [1, 2.0, None, 1, "x"]}, {"a": []}, {"b": value["a"]}, None):
        assert not verify.close(value, other)
