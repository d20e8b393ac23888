"""Tell Prefect of a reason to retrain classes of a line.

Where `PREFECT_API_URL` names a server, `patchae snapshot` sends an event for each line whose images
changed, and `patchae monitor` one for a class whose drift is confirmed. It is related to the line's
deployment, which one automation runs with the classes and the reason of the event
(`flows.watching`), and so the reason comes into the lineage record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.deployments import RETRAIN, project_tag
from patchae.console import say
from patchae.dataset.classes import line_classes
from patchae.dataset.history import Change, changed_classes
from patchae.dataset.version import Snapshot
from patchae.lineage.parts import Trigger
from patchae.lines_file import load_lines
from patchae.project import Project

ARRIVED = "patchae.data-arrived"
DRIFTED = "patchae.drift-confirmed"
REASONS = (ARRIVED, DRIFTED)
"""Events that start the retraining of some classes of a line."""


def announce(project: Project, taken: Snapshot) -> list[str]:
    """Send an event for each line whose images a snapshot changed; the names of these lines.

    A server that cannot be reached is said and stops nobody: the images are versioned all the same.

    Raises:
        ConfigError: `lines.yaml` is not usable.
        DataError, StoreUnreachable: the listing of a version cannot be had.
    """
    changes = changed_classes(project, taken.before, taken.version)
    told: list[str] = []
    for line in load_lines(project.lines_file).lines:
        classes = sorted(set(changes) & set(line_classes(project, line)))
        if not classes:
            continue
        reason = "new images: " + "; ".join(f"{name} {_words(changes[name])}" for name in classes)
        try:
            sent = send(
                project,
                line.name,
                ARRIVED,
                classes,
                reason,
                trigger="new_data",
                data_version=taken.version,
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the images are safe
            say(f"Prefect was not told of new images: {type(error).__name__}: {error}")
            return told
        if sent:
            told.append(line.name)
    return told


def send(
    project: Project,
    line: str,
    event: str,
    classes: Sequence[str],
    reason: str,
    *,
    trigger: Trigger,
    **facts: Any,
) -> bool:
    """Send one event on a line; False where the line has no deployment that it could start.

    Args:
        project: the project whose line it is.
        line: the line's name.
        event: one of `REASONS`.
        classes: classes of the line that shall be retrained.
        reason: why, in words for people; kept in the lineage record.
        trigger: why, for programs.
        facts: what else the event's payload tells.

    Raises:
        Exception: whatever Prefect's client raises where its server does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.events import emit_event
    from prefect.events.worker import EventsWorker
    from prefect.exceptions import ObjectNotFound

    tag = project_tag(project)
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(f"{RETRAIN}/{line}")
        except ObjectNotFound:
            deployment = None
    if deployment is None or tag not in deployment.tags:
        say(f"Prefect does not retrain line {line} of this project: patchae deploy")
        return False
    emit_event(
        event=event,
        resource={
            "prefect.resource.id": f"{tag.replace(':', '.')}.line.{line}",
            "prefect.resource.name": f"line {line}",
        },
        related=[
            {
                "prefect.resource.id": f"prefect.deployment.{deployment.id}",
                "prefect.resource.role": "deployment",
                "prefect.resource.name": deployment.name,
            }
        ],
        payload={"classes": [*classes], "reason": reason, "trigger": trigger, **facts},
    )
    EventsWorker.instance().drain()
    return True


def _words(change: Change) -> str:
    counts = {
        "added": change.added,
        "removed": change.removed,
        "changed": change.changed,
        "moved": change.moved,
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
