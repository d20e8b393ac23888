"""The published form of a lineage record: its JSON Schema, and the table of its fields.

    python -m patchae.lineage.schema        write both anew from `patchae.lineage.parts`

The schema lies beside this file, so that it ships with the package and goes into every audit
bundle. The table stands in `docs/lineage.md` of the repository.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from patchae.lineage.parts import SCHEMA, Record

FILE = Path(__file__).with_name("lineage-2.schema.json")
PAGE = Path(__file__).parents[3] / "docs" / "lineage.md"
_MARKS = re.compile(r"(?<=<!-- fields:begin -->\n).*(?=<!-- fields:end -->)", re.DOTALL)
_WORDS = {"object": "object", "string": "text", "integer": "whole number", "number": "number"}


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of a record, as text."""
    content = Record.model_json_schema(by_alias=True)
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        **content,
        "title": "Lineage record",
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def fields_table() -> str:
    """Every field of a record by its dotted path, as a Markdown table."""
    content = Record.model_json_schema(by_alias=True)
    rows = [
        f"| `{path}` | {kind} | {text} |" for path, kind, text in _fields(content, content["$defs"])
    ]
    return "\n".join(["| field | type | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def page_text(page: str) -> str:
    """The page with the table of today between its marks."""
    return _MARKS.sub(lambda _: fields_table(), page)


def _fields(
    part: dict[str, Any], parts: dict[str, Any], above: str = ""
) -> Iterator[tuple[str, str, str]]:
    for name, told in part["properties"].items():
        path = f"{above}{name}"
        text = told.get("description", "")
        kinds = [one for one in told.get("anyOf", [told]) if one.get("type") != "null"]
        empty = " or null" if len(kinds) < len(told.get("anyOf", [told])) else ""
        kind, below, inner = kinds[0], "", None
        if "additionalProperties" in kind and "$ref" in _of(kind):
            below, inner = ".*", _of(kind)
        elif "items" in kind and "$ref" in kind["items"]:
            below, inner = "[]", kind["items"]
        elif "$ref" in kind:
            inner = kind
        named = parts[inner["$ref"].rpartition("/")[2]] if inner else None
        if named and not text:
            text = named["description"]
        yield path, _kind(kind) + empty, " ".join(text.split())
        if named:
            yield from _fields(named, parts, f"{path}{below}.")


def _of(kind: dict[str, Any]) -> dict[str, Any]:
    found = kind["additionalProperties"]
    return found if isinstance(found, dict) else {}


def _kind(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        return "object"
    if "const" in kind:
        return f"`{kind['const']}`"
    if "enum" in kind:
        return " or ".join(f"`{one}`" for one in kind["enum"])
    if kind["type"] == "array":
        return "two numbers" if kind.get("maxItems") == 2 else "list"
    return "true or false" if kind["type"] == "boolean" else _WORDS[kind["type"]]
