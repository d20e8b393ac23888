"""Whatever is changed in a chain of rows is found, and named."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from patchae.registry.chain import KEYS, Entry, Row, digest_of, faults, follow
from patchae.registry.export import Anchor
from patchae.types import Sha256
from tests.support import examples

TEXT_FIELDS = (
    *("time", "kind", "model", "actor", "host", "flow_run", "body", "previous", "digest"),
)

NOON = "2026-05-01T12:00:00.000000Z"

# A busy machine is no fault of the chain.
law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=3,
)

times = st.integers(0, 10**17).map(
    lambda number: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)
)


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(KEYS)))
    body = {key: draw(json_values) for key in sorted(KEYS[kind])}
    if kind == "threshold":
        body |= {key: draw(st.floats(0, 9)) for key in ("from", "to")}
    return {
        "kind": kind,
        "time": draw(times).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "model": draw(st.text(max_size=8)),
        "actor": draw(st.text(max_size=8)),
        "host": draw(st.text(max_size=8)),
        "flow_run": draw(st.text(max_size=8)),
        "body": body,
    }


@st.composite
def chains(draw: st.DrawFn, least: int = 1) -> list[Row]:
    rows: list[Row] = []
    for content in draw(st.lists(contents(), min_size=least, max_size=5)):
        rows.append(follow(rows[-1] if rows else None, **content).row())
    return rows


@law
@given(chains(least=0))
def test_an_untouched_chain_has_no_faults(rows: list[Row]) -> None:
    assert faults(rows) == []
    assert [Entry.of(row).row() for row in rows] == rows
    assert [row.time for row in rows] == sorted(row.time for row in rows)


@settings(law, max_examples=examples(200))
@given(st.data())
def test_any_change_of_any_byte_of_any_field_is_found(data: st.DataObject) -> None:
    rows = data.draw(chains())
    index = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(TEXT_FIELDS))
    old = getattr(rows[index], field).encode("utf-8", "surrogateescape")
    at = data.draw(st.integers(0, len(old)))
    cut = data.draw(st.integers(0, 1))
    byte = data.draw(st.binary(max_size=1))
    new = old[:at] + byte + old[at + cut :]
    assume(new != old)
    rows[index] = replace(rows[index], **{field: new.decode("utf-8", "surrogateescape")})
    assert any(f"row {index + 1}" in fault for fault in faults(rows))


@law
@given(st.data())
def test_another_number_on_a_row_is_found(data: st.DataObject) -> None:
    rows = data.draw(chains())
    index = data.draw(st.integers(0, len(rows) - 1))
    seq = data.draw(st.integers(-3, 9))
    assume(seq != rows[index].seq)
    rows[index] = replace(rows[index], seq=seq)
    assert faults(rows)


@law
@given(st.data())
def test_a_removed_row_is_found_unless_it_was_the_last(data: st.DataObject) -> None:
    rows = data.draw(chains(least=2))
    index = data.draw(st.integers(0, len(rows) - 2))
    del rows[index]
    assert f"row {index + 1}: missing" in faults(rows)


@law
@given(chains(least=2))
def test_the_chain_alone_cannot_show_that_its_last_rows_are_gone(rows: list[Row]) -> None:
    assert faults(rows[:-1]) == []


@law
@given(st.data())
def test_exchanged_rows_are_found(data: st.DataObject) -> None:
    rows = data.draw(chains(least=2))
    first, second = data.draw(
        st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True)
    )
    rows[first], rows[second] = rows[second], rows[first]
    assert faults(rows)
    renumbered = [replace(row, seq=seq) for seq, row in enumerate(rows, start=1)]
    assert faults(renumbered)


@law
@given(st.data())
def test_an_inserted_row_is_found_even_when_it_was_made_to_fit(data: st.DataObject) -> None:
    rows = data.draw(chains())
    at = data.draw(st.integers(0, len(rows) - 1))
    forged = follow(rows[at - 1] if at else None, **data.draw(contents())).row()
    assume(forged != rows[at])
    assert faults([*rows[:at], forged, *rows[at:]])
    later = [replace(row, seq=row.seq + 1) for row in rows[at:]]
    assert faults([*rows[:at], forged, *later])


@law
@given(st.data())
def test_a_row_rewritten_with_its_digest_breaks_the_row_after_it(data: st.DataObject) -> None:
    rows = data.draw(chains(least=2))
    index = data.draw(st.integers(0, len(rows) - 2))
    forged = replace(rows[index], actor=rows[index].actor + "x")
    rows[index] = replace(forged, digest=digest_of(forged))
    found = faults(rows)
    assert found == [
        f"row {index + 2}: order broken; its `previous` is not the digest of row {index + 1}"
    ]


def tampered(data: st.DataObject, rows: list[Row]) -> list[Row]:
    """The rows after one to three acts of somebody with a database tool."""
    changed = list(rows)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(changed) - 1)))
        act = data.draw(st.sampled_from(("change", "drop", "swap", "insert", "truncate")))
        if not changed:
            break
        if act == "change":
            field = data.draw(st.sampled_from(TEXT_FIELDS))
            old = getattr(changed[at], field)
            changed[at] = replace(changed[at], **{field: data.draw(st.text(max_size=4)) + old[1:]})
        elif act == "drop":
            del changed[at]
        elif act == "swap":
            to = data.draw(st.integers(0, len(changed) - 1))
            changed[at], changed[to] = changed[to], changed[at]
        elif act == "insert":
            before = changed[at - 1] if at else None
            changed.insert(at, follow(before, **data.draw(contents())).row())
        else:
            del changed[at:]
    return changed


@settings(law, max_examples=examples(300))
@given(st.data())
def test_whatever_is_done_to_rows_the_first_bad_one_is_named(data: st.DataObject) -> None:
    rows = data.draw(chains(least=2))
    changed = tampered(data, rows)
    assume(changed != rows)
    same = 0  # rows before the first difference
    while same < min(len(rows), len(changed)) and changed[same] == rows[same]:
        same += 1
    found = faults(changed)
    anchored = Anchor(rows[-1].seq, Sha256(rows[-1].digest)).faults(changed)
    assert found or anchored
    if same == len(changed):  # an end was cut off: a chain cannot show it, an anchor does
        assert found == []
        assert anchored[0].startswith(f"row {rows[-1].seq}: missing")
    elif found:
        first = int(re.findall(r"\d+", found[0])[0])
        if faults(changed[: same + 1]):
            assert first in (same + 1, changed[same].seq)
        else:  # a row that was made to fit: what comes after it does not
            assert first > same


def test_faults_say_where_and_what() -> None:
    rows: list[Row] = []
    for number in range(5):
        body = {"to": str(number), "from": None, "why": "x", "reason": "", "verdict": None}
        head = rows[-1] if rows else None
        entry = follow(head, time=NOON, kind="move", model="m", actor="a", body=body)
        rows.append(entry.row())
    unreadable = replace(rows[1], body="{")
    assert faults([rows[0], unreadable, rows[4]]) == [
        "row 2: content changed; it cannot be read (Expecting property name enclosed in double"
        " quotes: line 1 column 2 (char 1))",
        "rows 3 to 4: missing",
    ]
    assert faults([rows[1], rows[0]]) == [
        "row 1: missing",
        "row 1: order broken; it stands after row 2",
    ]
    spaced = replace(rows[0], body=rows[0].body.replace(":", ": "))
    assert "not canonical" in faults([spaced])[0]


@pytest.mark.parametrize("value", ["0.5", None, True, [0.5]])
def test_a_threshold_that_is_no_number_is_refused(value: object) -> None:
    body = {**dict.fromkeys(KEYS["threshold"], ""), "from": 0.5, "to": value}
    with pytest.raises(ValueError, match="a threshold is no number"):
        follow(None, time=NOON, kind="threshold", model="m", actor="a", body=body)


def test_a_body_without_the_keys_of_its_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks from, reason, verdict, why"):
        follow(None, time=NOON, kind="move", model="m", actor="a", body={"to": "1"})


@pytest.mark.parametrize(
    "time", ["yesterday", "2026-05-01T12:00:00.000000", "0001-01-01T00:00:00Z", "", 7]
)
def test_a_time_that_is_none_is_refused_and_not_taken_over(time: Any) -> None:
    body = dict.fromkeys(KEYS["move"], "1")
    row = follow(None, time=NOON, kind="move", model="m", actor="a", body=body).row()
    altered = replace(row, time=time)
    with pytest.raises(ValueError, match="no time"):
        Entry.of(altered)
    assert follow(altered, time=NOON, kind="move", model="m", actor="a", body=body).time == NOON
