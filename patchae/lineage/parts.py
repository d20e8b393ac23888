"""The fields of a lineage record, typed and described.

The published JSON Schema and the table in `docs/lineage.md` are made from here, descriptions
included: what a field means is said once.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

SCHEMA = "patchae.lineage/2"


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
Trigger = Literal["person", "schedule", "new_data", "drift", "automation"]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class Images(_Part):
    """How many images of the class there were."""

    train_good: Count
    """Images in train/good."""
    test_good: Count
    """Images in test/good."""
    test_defect: Count
    """Images of all kinds of defects in test/."""


class Data(_Part):
    """The images."""

    version: Version
    """Data version: the md5 that `data.dvc` held."""
    class_digest: Hex64
    """sha256 over the sorted manifest rows of the class."""
    manifest_sha256: Hex64
    """sha256 of the artifact `manifest.csv`."""
    images: Images


class Warned(_Part):
    """A rule of validation that found something."""

    code: Text
    """Its stable code, see docs/validation.md."""
    severity: Text
    """`error` or `warning`."""
    found: Count
    """Images that it concerns."""


class Validation(_Part):
    """What validation found of these images."""

    sha256: Hex64
    """Digest of the artifact `validation.json`."""
    passed: bool
    """Whether no error was found."""
    checks: Count
    """Rules that were asked."""
    findings: list[Warned]
    """Rules that found something, warnings among them."""


class Source(_Part):
    """The code."""

    git_commit: Commit | None
    """Commit of the project; null outside Git."""
    git_clean: bool | None
    """Whether nothing tracked differed from it, but for data.dvc; null outside Git."""
    model_source_sha256: Hex64
    """sha256 over the source of `patchae.model`, by name and content."""
    patchae_version: Text
    """Version of patchae."""
    lock_sha256: Hex64 | None
    """sha256 of `requirements.lock`; null without one."""


class Environment(_Part):
    """What it ran on. Packages and machine are those of the training, not of the registration."""

    python: Text
    """Version of Python."""
    platform: Text
    """Operating system and processor, as Python names them."""
    device: Text
    """`cpu` or `cuda`."""
    device_name: Text
    """Name of the processor or the GPU."""
    driver: str | None
    """Version of CUDA that torch runs on; null on the CPU."""
    threads: Annotated[int, Field(ge=1)]
    """Threads of torch."""
    packages: Annotated[dict[Text, Text], Field(min_length=1)]
    """Installed Python packages and their versions."""
    components_sha256: Hex64
    """sha256 of the artifact `components.json`: the same as a CycloneDX list."""


class Training(_Part):
    """How it was trained."""

    settings: Annotated[dict[str, Any], Field(min_length=1)]
    """All settings of the training after defaults, see docs/lines.md."""
    backbone: Text
    """The backbone, in timm's words; several are joined with +."""
    weights_sha256: Hex64
    """Digest of the weights that the backbone started from."""
    seed: int
    """Seed of everything random."""
    torch: Text
    """Version of torch."""
    seconds: Duration
    """How long it took (s)."""
    learned: Count
    """Images of train/good that the network and its memory learned from."""
    calibration: Count
    """Images of train/good that set the threshold."""
    split_sha256: Hex64
    """sha256 of the artifact `split.csv`: which image learned and which calibrated."""


class Found(_Part):
    """How many of the images of one kind of defect were found."""

    found: Count
    """Images above the threshold."""
    n: Count
    """Images of that kind."""


class Evaluation(_Part):
    """What it showed on the test images. Intervals are two-sided, 95 %."""

    image_auroc: Share | None
    """Chance that a defective image scores above a good one; null without images of both kinds."""
    image_auroc_interval: Interval | None
    """Its interval; null with fewer than 2 good or 2 defective images."""
    pixel_auroc: Share | None
    """The same for pixels; null without masks."""
    pixel_auroc_interval: Interval | None
    """Its interval, from a bootstrap over images."""
    aupro: Share | None
    """Area under the per-region overlap up to a false positive rate of 0.3; null without masks."""
    aupro_interval: Interval | None
    """Its interval, from a bootstrap over images."""
    threshold: float
    """Scores above it are anomalous."""
    recall: Share | None
    """Share of the defective images above the threshold; null without any."""
    recall_interval: Interval | None
    """Its exact interval; null without defective images."""
    false_alarm_rate: Share | None
    """Share of the good images above the threshold; null without any."""
    false_alarm_rate_interval: Interval | None
    """Its exact interval; null without good images."""
    n_good: Count
    """Good test images."""
    n_defect: Count
    """Defective test images."""
    recall_by_defect: dict[str, Found]
    """By kind of defect."""
    ms_per_image: Duration
    """Time to score one decoded image (ms), batch of 1, on the device above; median after a
    warm-up."""
    scores_sha256: Hex64
    """sha256 of the artifact `scores.csv`."""


class Position(_Part):
    """A row of the ledger."""

    seq: Count
    """Its number."""
    digest: Hex64
    """Its digest."""


class File(_Part):
    """One file of the model."""

    sha256: Hex64
    """sha256 of its content."""
    bytes: Count
    """Its size."""


class Run(_Part):
    """Where, why and by whom it was run."""

    mlflow_run_id: Text
    """The run in MLflow that holds the artifacts."""
    prefect_flow_run_id: Text | None
    """The flow run; null without Prefect."""
    prefect_deployment: Text | None
    """Its deployment; null for a run by hand."""
    work_pool: Text | None
    """The work pool that it came from; null for a run by hand."""
    host: Text
    """The machine that trained."""
    trigger: Trigger
    """Why it ran: a person asked, its schedule was due, new images arrived, drift was found, or
    an automation or flow of one's own started it."""
    reason: str
    """The same in words."""
    started_by: Text | None = None
    """Who or what had it started; null where Prefect does not know, as without accounts."""
    actor: Text
    """Who ran it: `PATCHAE_ACTOR`, or the login name."""
    started: Moment
    """When the training began (UTC)."""
    finished: Moment
    """When this record was written (UTC)."""


class Record(_Part):
    """One versioned JSON document that ties a model version to everything that made it."""

    schema_name: Literal["patchae.lineage/2"] = Field(alias="schema")
    """The version of this schema."""
    line: Text
    """The product line."""
    class_name: Text = Field(alias="class")
    """The class: one product."""
    model: Text
    """The registered model: `<line>.<class>`."""
    training_key: Hex64
    """sha256 over class digest, settings, weights and source: same key, same model."""
    data: Data
    validation: Validation
    source: Source
    environment: Environment
    training: Training
    evaluation: Evaluation
    policy: Annotated[dict[str, Any], Field(min_length=1)]
    """The gates that stood in `lines.yaml`. What a verdict was decided under, its row says."""
    ledger: Position | None
    """The newest row of the ledger before this record was written; null when there was none."""
    files: Annotated[dict[Annotated[str, AfterValidator(_inside)], File], Field(min_length=1)]
    """Every file of the model, by its path in it."""
    run: Run
