"""Retrainings as OpenLineage run events, for catalogues that collect lineage of a whole plant.

    job       namespace `patchae`; `retrain <line>` is the flow, `train <model>` one of its classes
    input     the images of a class: namespace `patchae.data`, name `<class>`, and its data version
    output    the registered model: namespace `patchae.models`, name `<model>`, and its version

Nothing of OpenLineage is imported before an event is built, and nobody builds one while no
receiver is configured; `docs/openlineage.md` says how one is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from patchae import __version__

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunEvent

State = Literal["START", "COMPLETE", "FAIL"]
NAMESPACE = "patchae"
DATA, MODELS = "patchae.data", "patchae.models"
PRODUCER = f"urn:patchae:{__version__}"


def configured() -> bool:
    """Whether a receiver is: by OpenLineage's own variables, or by a file that they or it name."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get("OPENLINEAGE_URL"):
        return True
    if any(name.startswith("OPENLINEAGE__TRANSPORT") for name in os.environ):
        return True
    named = os.environ.get("OPENLINEAGE_CONFIG")
    files = (
        *((Path(named),) if named else ()),
        Path("openlineage.yml"),
        Path("~/.openlineage/openlineage.yml").expanduser(),
    )
    return any(file.is_file() for file in files)


@dataclass(frozen=True)
class Run:
    """One run of a job: what all of its events share."""

    id: str
    """A UUID; a flow run of Prefect keeps its own."""
    job: str
    """`retrain <line>` or `train <model>`."""
    description: str
    parent: Run | None = None
    git: tuple[str, str | None] | None = None
    """Address of the repository, and the commit."""


@dataclass(frozen=True)
class Images:
    """The images of a class in one data version."""

    class_name: str
    version: str
    count: int | None = None
    bytes: int | None = None
    checks: tuple[tuple[str, str, bool], ...] = ()
    """Code, severity and success of each check of the validation."""


@dataclass(frozen=True)
class Made:
    """A registered version."""

    model: str
    version: str
    description: str


def event(
    run: Run,
    state: State,
    *,
    images: tuple[Images, ...] = (),
    made: tuple[Made, ...] = (),
    error: str | None = None,
    time: datetime | None = None,
) -> RunEvent:
    """One run event.

    Args:
        run: the run that it is about.
        state: what happened to it.
        images: what it reads.
        made: what it wrote.
        error: why it failed.
        time: when; now by default.
    """
    from openlineage.client import event_v2 as ol
    from openlineage.client.facet_v2 import (
        error_message_run,
        parent_run,
        processing_engine_run,
        set_producer,
    )

    set_producer(PRODUCER)
    facets: dict[str, Any] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=__version__, name="patchae"
        )
    }
    if run.parent:
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run.parent.id),
            job=parent_run.Job(namespace=NAMESPACE, name=run.parent.job),
        )
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=error, programmingLanguage="PYTHON"
        )
    return ol.RunEvent(
        eventTime=(time or datetime.now(UTC)).isoformat(),
        producer=PRODUCER,
        eventType=ol.RunState[state],
        run=ol.Run(runId=run.id, facets=facets),
        job=_job(run),
        inputs=[_input(one) for one in images],
        outputs=[_output(one) for one in made],
    )


def _job(run: Run) -> Job:
    from openlineage.client import event_v2 as ol
    from openlineage.client.facet_v2 import (
        documentation_job,
        job_type_job,
        source_code_location_job,
    )

    kind = "TASK" if run.parent else "FLOW"
    facets: dict[str, Any] = {
        "documentation": documentation_job.DocumentationJobFacet(description=run.description),
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="PATCHAE", jobType=kind
        ),
    }
    if run.git:
        url, commit = run.git
        facets["sourceCodeLocation"] = source_code_location_job.SourceCodeLocationJobFacet(
            type="git", url=url, repoUrl=url, version=commit
        )
    return ol.Job(namespace=NAMESPACE, name=run.job, facets=facets)


def _input(images: Images) -> InputDataset:
    from openlineage.client import event_v2 as ol
    from openlineage.client.facet_v2 import (
        data_quality_assertions_dataset,
        data_quality_metrics_input_dataset,
        dataset_version_dataset,
        documentation_dataset,
    )

    found: dict[str, Any] = {}
    if images.count is not None:
        found["dataQualityMetrics"] = (
            data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
                columnMetrics={}, rowCount=images.count, fileCount=images.count, bytes=images.bytes
            )
        )
    if images.checks:
        found["dataQualityAssertions"] = (
            data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                assertions=[
                    data_quality_assertions_dataset.Assertion(
                        assertion=code, success=passed, severity=_SEVERITY.get(severity, severity)
                    )
                    for code, severity, passed in images.checks
                ]
            )
        )
    return ol.InputDataset(
        namespace=DATA,
        name=images.class_name,
        facets={
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(images.version),
            "documentation": documentation_dataset.DocumentationDatasetFacet(
                f"Images of the class {images.class_name}, versioned with DVC"
            ),
        },
        inputFacets=found,
    )


def _output(made: Made) -> OutputDataset:
    from openlineage.client import event_v2 as ol
    from openlineage.client.facet_v2 import dataset_version_dataset, documentation_dataset

    return ol.OutputDataset(
        namespace=MODELS,
        name=made.model,
        facets={
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(made.version),
            "documentation": documentation_dataset.DocumentationDatasetFacet(made.description),
        },
    )


_SEVERITY: Mapping[str, str] = {"warning": "warn"}
"""Where OpenLineage has another word than we have."""
