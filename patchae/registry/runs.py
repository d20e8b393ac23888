"""A training run as MLflow has it: what an audit holds against the lineage record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from patchae.registry.mlflow_answers import absent, translated
from patchae.registry.tracking import Tracking, Version


@dataclass(frozen=True)
class LoggedRun:
    """One run of MLflow."""

    run_id: str
    deleted: bool
    """Whether it lies in MLflow's trash."""
    started: datetime | None
    ended: datetime | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    """The last value of each."""


def logged_run(tracking: Tracking, version: Version) -> LoggedRun | None:
    """The training run of a version; None when MLflow has it no longer.

    Raises:
        StoreUnreachable: MLflow does not answer.
    """
    from mlflow.exceptions import MlflowException

    with translated(tracking.uri):
        try:
            run = tracking.client.get_run(version.run_id)
        except MlflowException as error:
            if absent(error):
                return None
            raise
    return LoggedRun(
        run_id=str(run.info.run_id),
        deleted=run.info.lifecycle_stage == "deleted",
        started=_moment(run.info.start_time),
        ended=_moment(run.info.end_time),
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
