"""A lineage record is complete or says what it lacks, and its digest holds its content."""

from __future__ import annotations

import copy
import json
import shutil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchae.files import canonical_json
from patchae.lineage.record import digest, load, missing, parse
from tests.support.lineage.builder import build

Place = tuple[str, ...]

MAY_BE_NULL = {
    "source.git_commit",
    "source.git_clean",
    "source.lock_sha256",
    "environment.driver",
    "run.prefect_flow_run_id",
    "run.prefect_deployment",
    "run.work_pool",
    "ledger",
    "evaluation.image_auroc",
    "evaluation.image_auroc_interval",
    "evaluation.recall",
    "evaluation.recall_interval",
    "evaluation.false_alarm_rate",
    "evaluation.false_alarm_rate_interval",
    "evaluation.pixel_auroc",
    "evaluation.pixel_auroc_interval",
    "evaluation.aupro",
    "evaluation.aupro_interval",
}

FREE = {("training", "settings"), ("policy",), ("environment", "packages")}
"""Parts whose keys are not ours to fix."""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("record")
    content: dict[str, Any] = json.loads((build(folder).artifacts / "lineage.json").read_text())
    shutil.rmtree(folder)
    return content


def leaves(value: Any, path: Place = ()) -> list[Place]:
    """Paths of everything in a record, parts and values, outermost first."""
    if not isinstance(value, dict) or path in FREE:
        return [path]
    inner = [leaf for key in value for leaf in leaves(value[key], (*path, key))]
    return ([path] if path else []) + inner


def changed(record: dict[str, Any], path: Place, value: Any) -> dict[str, Any]:
    """A copy with another value at a path; `...` takes the key away."""
    copied = copy.deepcopy(record)
    place = copied
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copied


def test_a_complete_record_can_be_read_by_name(record: dict[str, Any]) -> None:
    assert missing(record) == []
    parsed = parse(canonical_json(record))
    assert (parsed.schema_name, parsed.model, parsed.class_name) == (
        "patchae.lineage/2",
        "sample.bolt",
        "bolt",
    )
    assert parsed.files["MLmodel"].bytes == 12


def test_whatever_is_taken_away_is_named(record: dict[str, Any]) -> None:
    checked = 0
    for path in leaves(record):
        if path[:1] == ("files",) and len(path) == 2:
            continue  # one file fewer is a complete record still; the audit finds the file
        if path[:2] == ("evaluation", "recall_by_defect") and len(path) == 3:
            continue
        assert missing(changed(record, path, ...)) == [".".join(path)]
        checked += 1
    assert checked > 50


def test_null_counts_as_missing_except_where_it_may_be_unknown(record: dict[str, Any]) -> None:
    for path in leaves(record):
        name = ".".join(path)
        found = missing(changed(record, path, None))
        assert found == ([] if name in MAY_BE_NULL else [name])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("files", {}),
        ("training.settings", {}),
        ("run.actor", ""),
        ("data.version", "1f3a.dir"),
        ("data.class_digest", "A" * 64),
        ("source.git_commit", "main"),
        ("data.images.train_good", -1),
        ("data.images.train_good", 3.0),
        ("validation.passed", 1),
        ("evaluation.image_auroc", 1.5),
        ("evaluation.image_auroc", "0.9"),
        ("run.started", "2026-05-01 10:00"),
        ("run.started", "2026-05-01T10:00:00+02:00"),
        ("schema", "patchae.lineage/3"),
        ("model", "sample.nut"),
        ("data.colour", "red"),
    ],
)
def test_what_does_not_belong_there_is_named(
    record: dict[str, Any], path: str, value: object
) -> None:
    wrong = changed(record, tuple(path.split(".")), value)
    assert missing(wrong) == [path]
    with pytest.raises(ValueError, match=f"^{path}: "):
        parse(canonical_json(wrong))


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a\\b", "", "./a", "a//b"])
def test_no_file_of_a_model_lies_outside_of_it(record: dict[str, Any], name: str) -> None:
    wrong = changed(record, ("files", name), {"sha256": "0" * 64, "bytes": 1})
    assert missing(wrong) == [f"files.{name}"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1, "a": 2}', '{"a": NaN}', "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load(text)


def test_the_digest_is_of_the_content_and_not_of_its_spelling(record: dict[str, Any]) -> None:
    spelled = json.dumps(dict(reversed(record.items())), indent=3)
    assert digest(load(spelled)) == digest(record)


@settings(deadline=None)
@given(st.data())
def test_any_other_value_gives_another_digest(record: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(leaves(record)))
    value = data.draw(st.integers() | st.text() | st.none() | st.booleans())
    other = changed(record, path, value)
    assert (digest(other) == digest(record)) == (canonical_json(other) == canonical_json(record))
