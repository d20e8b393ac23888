"""The page on the norms names fields, rows and artifacts that exist, and a command for each."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from patchae.registry.chain import KEYS, Entry
from tests.support import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "auditing.md").read_text()
NORMS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
ROWS = [
    [cell.strip() for cell in line[1:-1].split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and line.count("|") == 4 and "---" not in line
]
QUESTIONS = [row for row in ROWS if row[0] != "question"]


def known() -> set[str]:
    """Fields of the record, kinds of rows with their keys and values, columns, artifacts."""
    table = (DOCS / "lineage.md").read_text().partition("<!-- fields:begin -->")[2]
    record = set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE))
    rows = set(KEYS) | {key for keys in KEYS.values() for key in keys}
    columns = {field.name for field in fields(Entry)}
    artifacts = {"manifest.csv", "split.csv", "scores.csv", "validation.json", "components.json"}
    return record | rows | columns | artifacts | {"overridden", "rolled_back", "--out"}


def test_each_norm_has_questions() -> None:
    titles = [part.partition("\n")[0] for part in NORMS]
    assert [one for one in titles if one.startswith(("EU AI", "ISO", "GAMP"))] == [
        "EU AI Act (Regulation (EU) 2024/1689)",
        "ISO/IEC 42001",
        "GAMP 5",
    ]
    for article in ("11", "12", "18", "26"):
        assert re.search(rf"^### Article {article}\b", PAGE, re.MULTILINE)
    assert len(QUESTIONS) > 30


@pytest.mark.parametrize(("question", "field", "command"), QUESTIONS)
def test_each_question_leads_to_what_exists(question: str, field: str, command: str) -> None:
    named = set(re.findall(r"`([^`]+)`", field))
    assert named <= known()
    assert question.endswith("?")
    assert field
    assert re.match(r"`patchae [a-z]+", command)
