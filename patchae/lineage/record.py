"""The lineage record: one versioned JSON document that ties a model to everything that made it.

`lineage.json` holds it, schema `patchae.lineage/2`; `parts` says what its fields are. It is written
once, before the version is registered. Its digest is written to the ledger when it is, so the
record cannot change afterwards without an audit saying so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError, model_validator

from patchae.files import canonical_json, digest_json
from patchae.lineage.parts import SCHEMA, Record
from patchae.types import Sha256


class LineageRecord(Record):
    """A lineage record, checked. Read by attribute; the digest is taken over the JSON, not this."""

    @model_validator(mode="after")
    def _named_for_its_line(self) -> LineageRecord:
        if self.model != f"{self.line}.{self.class_name}":
            raise ValueError(f"model: expected {self.line}.{self.class_name}")
        return self


def build(
    *,
    line: str,
    class_name: str,
    training_key: str,
    data: Mapping[str, Any],
    validation: Mapping[str, Any],
    source: Mapping[str, Any],
    environment: Mapping[str, Any],
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    policy: Mapping[str, Any],
    ledger: Mapping[str, Any] | None,
    files: Mapping[str, Mapping[str, Any]],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Put a record together as plain JSON values. Whether it is complete, `missing` says.

    Raises:
        ValueError, TypeError: a value is not JSON, for example NaN or a path object.
    """
    record = {
        "schema": SCHEMA,
        "line": line,
        "class": class_name,
        "model": f"{line}.{class_name}",
        "training_key": training_key,
        "data": data,
        "validation": validation,
        "source": source,
        "environment": environment,
        "training": training,
        "evaluation": evaluation,
        "policy": policy,
        "ledger": ledger,
        "files": files,
        "run": run,
    }
    # There and back, so that what is checked now is exactly what will be read later.
    content: dict[str, Any] = json.loads(canonical_json(record))
    return content


def digest(record: Mapping[str, Any]) -> Sha256:
    """sha256 over the canonical JSON of a record: spaces and the order of keys do not matter."""
    return digest_json(record)


def missing(record: Mapping[str, Any]) -> list[str]:
    """The parts that are absent, empty or not what belongs there, as dotted paths, sorted.

    A model may only be promoted when there are none. What may be unknown counts as present when it
    is null; `parts` says of which fields that is true and when.
    """
    return sorted({path for path, _ in _problems(record)})


def load(text: str) -> dict[str, Any]:
    """The JSON object of a record as it stands, not checked: what `digest` and `missing` take.

    Raises:
        ValueError: it is not a JSON object, or a key stands twice in it.
    """
    try:
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 - a wrong document
    return content


def parse(text: str) -> LineageRecord:
    """Read a record.

    Raises:
        ValueError: it is not JSON, or not a complete record; names the path of the first field
            that is not usable.
    """
    content = load(text)
    for path, problem in _problems(content):
        raise ValueError(f"{path}: {problem}")
    return LineageRecord.model_validate(content)


def _problems(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    try:
        LineageRecord.model_validate(record)
    except ValidationError as error:
        return [
            (
                ".".join(str(part) for part in problem["loc"] if part != "[key]") or "model",
                problem["msg"].removeprefix("Value error, "),
            )
            for problem in error.errors(include_url=False)
        ]
    return []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
