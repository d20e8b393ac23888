"""The published schema is that of the source, says what the model says, and is documented."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from patchae.lineage.record import missing
from patchae.lineage.schema import FILE, PAGE, fields_table, page_text, schema_text
from tests.support.lineage.built import Built


def test_the_schema_and_the_page_are_those_of_the_source() -> None:
    assert FILE.read_text() == schema_text(), "run: python -m patchae.lineage.schema"
    assert page_text(PAGE.read_text()) == PAGE.read_text(), "run: python -m patchae.lineage.schema"


def test_every_field_has_a_meaning() -> None:
    rows = [line.split(" | ") for line in fields_table().splitlines()[2:]]
    assert len(rows) > 70
    assert all(len(row[2].rstrip(" |")) > 3 for row in rows)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.version", "latest"),
        ("run.trigger", "boredom"),
        ("evaluation.image_auroc", 1.5),
        ("environment.packages", {}),
        ("data.colour", "red"),
    ],
)
def test_a_validator_that_is_not_ours_says_the_same(honest: Built, path: str, value: Any) -> None:
    schema = json.loads(FILE.read_text())
    record: dict[str, Any] = json.loads((honest.artifacts / "lineage.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(record)
    wrong = copy.deepcopy(record)
    part, _, key = path.rpartition(".")
    wrong[part][key] = value
    assert missing(wrong)
    assert not validator.is_valid(wrong)
