"""Score a folder or a bucket by a champion: `patchae score --out` as a flow.

A run that was killed is run again with the same parameters, and scores what is missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from flows.run_log import run_log
from flows.train_class import passes
from patchae.console import progress_of, record
from patchae.project import Project, prepare_environment
from patchae.steps.batch import Scored, score_batch


@task(
    name="score images",
    retries=3,
    retry_delay_seconds=[2, 10, 30],
    retry_condition_fn=passes,
    cache_policy=NO_CACHE,
)
def score_images(root: Path, model: str, source: str, out: Path) -> Scored:
    """Score what is not scored yet."""
    project = Project(root)
    prepare_environment(project)
    return score_batch(project, model, source, out, progress_of(model))


@flow(name="score", flow_run_name="score {source} by {model}")
def score(*, model: str, source: str, out: Path, root: Path) -> dict[str, Any]:
    """Score a folder or a bucket by a model.

    Args:
        model: `MODEL` (its champion), `MODEL/VERSION` or `MODEL@ALIAS`.
        source: a folder, or `s3://bucket/prefix`.
        out: folder of the results.
        root: the project's folder.

    Returns:
        How many images there were, how many alarms, and how many could not be read.

    Raises:
        NegativeFinding: some images could not be read; all others were scored.
    """
    with run_log():
        found = score_images(root, model, source, out)
        counts = (
            f"{found.images:,} images, {found.alarms:,} alarms,"
            f" {len(found.unreadable):,} cannot be read"
        )
        record(f"{found.model}/{found.version}: {counts}")
        create_markdown_artifact(
            key="scores",
            markdown=f"{found.model}/{found.version} on `{source}`: {counts}\n\n`{out}`",
            description=f"Scores by {found.model}/{found.version}",
        )
        found.raise_if_unreadable()
        return {"images": found.images, "alarms": found.alarms, "unreadable": len(found.unreadable)}
