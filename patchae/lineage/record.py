"""The lineage record: one versioned JSON document that ties a model to everything that made it.

`lineage.json` holds it, schema `patchae.lineage/1`. Its digest is written to the ledger when the
version is registered, so the record cannot change afterwards without an audit saying so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from patchae.files import canonical_json, digest_json
from patchae.types import Sha256

SCHEMA = "patchae.lineage/1"


def _inside(path: str) -> str:
    # An audit opens these paths below a folder: none may lead out of it.
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or str(parts) != path:
        raise ValueError("expected a relative path with forward slashes")
    return path


Text = Annotated[str, StringConstraints(min_length=1)]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}\.dir$")]
Moment = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[list[Share], Field(min_length=2, max_length=2)]
"""Lower and upper end."""
Duration = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Images(_Part):
    train_good: Count
    test_good: Count
    test_defect: Count


class Data(_Part):
    version: Version
    class_digest: Hex64
    manifest_sha256: Hex64
    images: Images


class Validation(_Part):
    sha256: Hex64
    passed: bool
    checks: Count


class Source(_Part):
    git_commit: Commit | None
    git_clean: bool | None
    model_source_sha256: Hex64
    patchae_version: Text
    lock_sha256: Hex64 | None


class Training(_Part):
    settings: Annotated[dict[str, Any], Field(min_length=1)]
    backbone: Text
    weights_sha256: Hex64
    seed: int
    device: Text
    torch: Text
    python: Text
    threads: Annotated[int, Field(ge=1)]
    seconds: Duration
    learned: Count
    """Images of train/good that the network and its memory learned from."""
    calibration: Count
    """Images of train/good that set the threshold."""


class Found(_Part):
    found: Count
    n: Count


class Evaluation(_Part):
    image_auroc: Share
    pixel_auroc: Share | None
    pixel_auroc_interval: Interval | None
    aupro: Share | None
    aupro_interval: Interval | None
    threshold: float
    recall: Share
    false_alarm_rate: Share
    n_good: Count
    n_defect: Count
    recall_by_defect: dict[str, Found]
    ms_per_image: Duration
    scores_sha256: Hex64


class File(_Part):
    sha256: Hex64
    bytes: Count


class Run(_Part):
    mlflow_run_id: Text
    prefect_flow_run_id: Text | None
    reason: str
    actor: Text
    started: Moment
    finished: Moment


class LineageRecord(_Part):
    """A lineage record, checked. Read by attribute; the digest is taken over the JSON, not this."""

    schema_name: Literal["patchae.lineage/1"] = Field(alias="schema")
    line: Text
    class_name: Text = Field(alias="class")
    model: Text
    training_key: Hex64
    data: Data
    validation: Validation
    source: Source
    training: Training
    evaluation: Evaluation
    files: Annotated[dict[Annotated[str, AfterValidator(_inside)], File], Field(min_length=1)]
    run: Run

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
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any],
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
        "training": training,
        "evaluation": evaluation,
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

    A model may only be promoted when there are none. What may be unknown (`source.git_commit`,
    `source.git_clean`, `source.lock_sha256`, `run.prefect_flow_run_id`, and
    without masks `evaluation.pixel_auroc`, `evaluation.aupro` and their intervals) counts as
    present when it is null.
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
