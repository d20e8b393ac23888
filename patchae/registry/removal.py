"""Removing what MLflow holds: files of a model, and runs that ended without a version.

MLflow itself never removes a file when a run is deleted: it puts the run into its trash, and
`mlflow gc`, which needs the database, later removes both. Here files are removed at once, through
the same door by which they came, be it a folder, S3 or the server; the run then goes to the trash
with a tag that says who tidied it. Each step finds what the one before has left, so whatever was
interrupted is finished by doing it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from patchae.registry.mlflow_answers import translated
from patchae.registry.tracking import TAG, Tracking, Version

TIDIED = f"{TAG}tidied"
"""Tag of a run whose files were removed: when, and by whom."""
_PAGE = 200


@dataclass(frozen=True)
class Leftover:
    """A training run that is not finished and has no version."""

    run_id: str
    model: str
    status: str
    """`FAILED`, `KILLED`, or `RUNNING` when its process died without a word."""
    since: datetime
    """When it ended, or began if it did not end."""


def require_own_files(tracking: Tracking, version: Version, names: Iterable[str]) -> str:
    """Return the place of a version's model, if that and the files in it are the project's.

    Raises:
        UsageError: they are not.
        StoreUnreachable: MLflow does not answer.
    """
    with translated(tracking.uri):
        _, _, model_id = version.source.partition("models:/")
        place = (
            tracking.client.get_logged_model(model_id).artifact_location
            if model_id
            else version.source
        )
    tracking.require_own(str(place), *names)
    return str(place)


def remove_model_files(tracking: Tracking, version: Version, names: Iterable[str]) -> None:
    """Remove some files of a version's model; one that is gone already is no error.

    Raises:
        UsageError: they lie outside of the project's state; nothing is removed.
        StoreUnreachable: MLflow, or the store of its files, does not answer.
    """
    due = list(names)
    place = require_own_files(tracking, version, due)
    with translated(tracking.uri):
        files = _files(tracking, place)
        for name in due:
            files.delete_artifacts(name)


def leftovers(tracking: Tracking, line: str) -> list[Leftover]:
    """The training runs of a line that never became a version, oldest first.

    A run counts when it carries patchae's tags; other runs of the experiment are somebody else's.

    Raises:
        StoreUnreachable: MLflow does not answer.
    """
    with translated(tracking.uri):
        found = tracking.client.get_experiment_by_name(line)
        if found is None:
            return []
        runs = list(_runs(tracking, found.experiment_id, "attributes.status != 'FINISHED'"))
        return [one for run in runs if (one := _leftover(tracking, line, run))]


def in_trash(tracking: Tracking, line: str) -> set[str]:
    """The runs of a line that lie in MLflow's trash, where `mlflow gc` removes them for good."""
    from mlflow.entities import ViewType

    with translated(tracking.uri):
        found = tracking.client.get_experiment_by_name(line)
        if found is None:
            return set()
        runs = _runs(tracking, found.experiment_id, "", ViewType.DELETED_ONLY)
        return {str(run.info.run_id) for run in runs}


def is_left_over(tracking: Tracking, found: Leftover) -> bool:
    """Whether a run still is what `leftovers` found."""
    line = found.model.partition(".")[0]
    with translated(tracking.uri):
        run = tracking.client.get_run(found.run_id)
        active = run.info.lifecycle_stage == "active"
        return active and _leftover(tracking, line, run) is not None


def size_of_run(tracking: Tracking, run_id: str) -> int:
    """Bytes of the artifacts of a run and of the models that it logged.

    Raises:
        UsageError: they lie outside of the project's state.
        StoreUnreachable: MLflow, or the store of its files, does not answer.
    """
    with translated(tracking.uri):
        run = tracking.client.get_run(run_id)
        places = _places(tracking, run, _models(tracking, run))
        return sum(_size(_files(tracking, place)) for place in places)


def remove_run(tracking: Tracking, run_id: str, note: str) -> None:
    """Remove the files of a run and of the models that it logged, and put it into the trash.

    Args:
        tracking: MLflow.
        run_id: of a run that is nobody's any more.
        note: who tidies and why; kept as a tag of the run.

    Raises:
        UsageError: they lie outside of the project's state; nothing is removed.
        StoreUnreachable: MLflow, or the store of its files, does not answer.
    """
    client = tracking.client
    with translated(tracking.uri):
        run = client.get_run(run_id)
        models = _models(tracking, run)
        _places(tracking, run, models)
        client.set_tag(run_id, TIDIED, note)
        for model in models:
            _files(tracking, str(model.artifact_location)).delete_artifacts()
            client.delete_logged_model(model.model_id)
        _files(tracking, str(run.info.artifact_uri)).delete_artifacts()
        client.delete_run(run_id)  # last: until then it is found again


def _runs(tracking: Tracking, experiment: str, query: str, view: int = 1) -> Iterator[Any]:
    """All runs that answer a query; `view` is a `ViewType`: those that are not deleted."""
    token = None
    while True:
        page = tracking.client.search_runs(
            [experiment],
            query,
            view,
            max_results=_PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _leftover(tracking: Tracking, line: str, run: Any) -> Leftover | None:
    tags, info = run.data.tags, run.info
    class_name = tags.get(f"{TAG}class")
    ours = f"{TAG}training_key" in tags and tags.get(f"{TAG}line") == line and class_name
    if not ours or info.status == "FINISHED":
        return None
    if tracking.client.search_model_versions(f"run_id = '{info.run_id}'"):
        return None
    since = datetime.fromtimestamp((info.end_time or info.start_time) / 1000, UTC)
    return Leftover(str(info.run_id), f"{line}.{class_name}", str(info.status), since)


def _models(tracking: Tracking, run: Any) -> list[Any]:
    return list(
        tracking.client.search_logged_models(
            [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
        )
    )


def _places(tracking: Tracking, run: Any, models: Iterable[Any]) -> list[str]:
    """Where the files of a run and of its models lie; each is the project's."""
    places = [str(run.info.artifact_uri), *(str(one.artifact_location) for one in models)]
    for place in places:
        tracking.require_own(place)
    return places


def _files(tracking: Tracking, place: str) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(place, tracking_uri=tracking.uri)


def _size(files: Any, folder: str | None = None) -> int:
    total = 0
    for item in files.list_artifacts(folder):
        total += _size(files, item.path) if item.is_dir else int(item.file_size or 0)
    return total
