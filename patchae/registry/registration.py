"""One finished training, written into MLflow as a run, a model and a registered version.

The version comes last and carries the training key: it exists exactly when everything before it is
there. A run that was killed half-way is marked so and a new one is made; the version is still one.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patchae.files import canonical_json, digest_json, digests_of
from patchae.registry.mlflow_answers import translated
from patchae.registry.tracking import TAG, Tracking, Version
from patchae.types import DataVersion, Sha256, TrainingKey

SCORER = Path(__file__).with_name("scorer.py")
LINEAGE_FILE = "lineage.json"
WRITTEN_ON_DOWNLOAD = frozenset({"registered_model_meta"})
"""MLflow adds this note of name and version to a copy; nothing reads it when a model is loaded."""


@dataclass(frozen=True)
class Training:
    """What is to be registered."""

    line: str
    class_name: str
    key: TrainingKey
    data_version: DataVersion
    source: Sha256
    """Of the model's source."""
    data_source: Mapping[str, Any]
    """Where the images are, as JSON: what MLflow shows for the run's data set."""
    model_folder: Path
    """`model.safetensors` and `model.json`."""
    artifacts: Path
    """Folder whose content becomes the run's artifacts."""
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    losses: tuple[float, ...]
    """Mean loss per epoch."""

    @property
    def model(self) -> str:
        """Name of the registered model."""
        return f"{self.line}.{self.class_name}"


Complete = Callable[[str, Mapping[str, Mapping[str, Any]]], dict[str, Any]]
"""Makes the lineage record from the run's id and the digests of the model's files."""


Documents = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""Makes texts for people from the lineage record, by artifact path."""


def _now() -> datetime:
    return datetime.now(UTC)


def _no_documents(record: Mapping[str, Any]) -> Mapping[str, str]:
    del record
    return {}


def register(
    tracking: Tracking,
    training: Training,
    complete: Complete,
    documents: Documents = _no_documents,
    *,
    but: Collection[str] = (),
    clock: Callable[[], datetime] = _now,
) -> Version:
    """The registered version of a training; made only if its key has none yet.

    Args:
        tracking: MLflow.
        training: what is to be registered.
        complete: makes the lineage record.
        documents: makes what else stands among the artifacts before there is a version.
        but: versions that do not count, since their weights were let go.
        clock: dates the run; that of the ledger, so that both tell of one time. Of a run that
            failed only the start.

    Raises:
        StoreUnreachable: MLflow does not answer.
    """
    known = tracking.with_key(training.model, training.key, but)
    if known:
        finish(tracking, known, clock)
        return known
    experiment = tracking.experiment(training.line)
    with translated(tracking.uri):
        _end_leftovers(tracking, experiment, training.key, clock)
        run_id = _start(tracking, experiment, training, _milliseconds(clock))
        try:
            version = _log(tracking, run_id, training, complete, documents)
        except BaseException:
            tracking.client.set_terminated(run_id, "FAILED")
            raise
        tracking.client.set_terminated(run_id, "FINISHED", _milliseconds(clock))
    return tracking.version(training.model, version)


def finish(tracking: Tracking, known: Version, clock: Callable[[], datetime] = _now) -> None:
    """End the run of a version whose process was killed right after it was made."""
    with translated(tracking.uri):
        if tracking.client.get_run(known.run_id).info.status == "RUNNING":
            tracking.client.set_terminated(known.run_id, "FINISHED", _milliseconds(clock))


def _end_leftovers(
    tracking: Tracking, experiment: str, key: TrainingKey, clock: Callable[[], datetime]
) -> None:
    query = f"tags.`{TAG}training_key` = '{key}' and attributes.status = 'RUNNING'"
    for run in tracking.client.search_runs([experiment], query):
        tracking.client.set_terminated(run.info.run_id, "KILLED", _milliseconds(clock))


def _milliseconds(clock: Callable[[], datetime]) -> int:
    return int(clock().timestamp() * 1000)


def _start(tracking: Tracking, experiment: str, training: Training, now: int) -> str:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    tags = {
        f"{TAG}training_key": training.key,
        f"{TAG}line": training.line,
        f"{TAG}class": training.class_name,
        f"{TAG}data_version": training.data_version,
        f"{TAG}model_source": training.source,
    }
    run = tracking.client.create_run(experiment, now, tags, run_name=training.class_name)
    run_id = str(run.info.run_id)
    metrics = [Metric(name, value, now, 0) for name, value in training.metrics.items()]
    metrics += [Metric("loss", loss, now, epoch) for epoch, loss in enumerate(training.losses, 1)]
    params = [Param(name, str(value)) for name, value in training.params.items()]
    tracking.client.log_batch(run_id, metrics=metrics, params=params)
    dataset = Dataset(
        name=training.class_name,
        digest=training.data_version,
        source_type="dvc",
        source=canonical_json(training.data_source),
    )
    tracking.client.log_inputs(
        run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
    )
    return run_id


def _log(
    tracking: Tracking, run_id: str, training: Training, complete: Complete, documents: Documents
) -> str:
    client = tracking.client
    client.log_artifacts(run_id, str(training.artifacts))
    model_id, source, folder = _log_model(tracking, run_id, training)
    record = complete(run_id, _digests(folder))
    client.log_text(run_id, json.dumps(record, indent=2, sort_keys=True) + "\n", LINEAGE_FILE)
    for path, text in documents(record).items():
        client.log_text(run_id, text, path)
    _ensure_registered_model(tracking, training)
    version = client.create_model_version(
        training.model,
        source,
        run_id,
        tags={
            f"{TAG}training_key": training.key,
            f"{TAG}lineage_sha256": digest_json(record),
            f"{TAG}line": training.line,
            f"{TAG}class": training.class_name,
            f"{TAG}data_version": training.data_version,
        },
        model_id=model_id,
    )
    return str(version.version)


def _log_model(tracking: Tracking, run_id: str, training: Training) -> tuple[str, str, Path]:
    import mlflow
    from mlflow.artifacts import download_artifacts
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    from patchae import __version__

    # No input schema: MLflow's types cannot say "paths or arrays", and one of both would be
    # refused. The module text of scorer.py says what it takes.
    signature = ModelSignature(
        outputs=Schema(
            [
                ColSpec("double", "score"),
                ColSpec("double", "threshold"),
                ColSpec("boolean", "anomalous"),
            ]
        ),
        params=ParamSchema(
            [
                ParamSpec("heat_maps", "boolean", default=False),
                ParamSpec("threshold", "double", default=None),
            ]
        ),
    )
    # The signature is given; an example would only serve to guess it.
    warnings.filterwarnings("ignore", message=".*input example was not provided")
    mlflow.start_run(run_id=run_id)
    try:
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SCORER),
            artifacts={"model": str(training.model_folder)},
            pip_requirements=[f"patchae=={__version__}"],
            signature=signature,
        )
    finally:
        mlflow.end_run("RUNNING")  # it is finished when there is a version, not before
    folder = Path(download_artifacts(info.model_uri, tracking_uri=tracking.uri))
    return str(info.model_id), str(info.model_uri), folder


def _digests(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {"sha256": digest, "bytes": (folder / name).stat().st_size}
        for name, digest in digests_of(folder).items()
        if name not in WRITTEN_ON_DOWNLOAD
    }


def _ensure_registered_model(tracking: Tracking, training: Training) -> None:
    from mlflow.exceptions import MlflowException

    try:
        tracking.client.create_registered_model(
            training.model, tags={f"{TAG}line": training.line, f"{TAG}class": training.class_name}
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
