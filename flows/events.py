"""Tell Prefect that images arrived, so that the classes they belong to are retrained.

Where `PREFECT_API_URL` names a server, `patchae snapshot` sends one event for each line whose
classes changed; the deployment of the line waits for it (`flows.deployments`).
"""

from __future__ import annotations

from flows.deployments import ARRIVED, project_tag, resource_of
from patchae.console import say
from patchae.dataset.classes import line_classes
from patchae.dataset.history import Change, changed_classes
from patchae.dataset.version import Snapshot
from patchae.lines_file import load_lines
from patchae.project import Project


def announce(project: Project, taken: Snapshot) -> list[str]:
    """Send an event for each line whose images a snapshot changed; the names of these lines.

    A server that cannot be reached is said and stops nobody: the images are versioned all the same.

    Raises:
        ConfigError: `lines.yaml` is not usable.
        DataError, StoreUnreachable: the listing of a version cannot be had.
    """
    from prefect.events import emit_event
    from prefect.events.worker import EventsWorker

    changes = changed_classes(project, taken.before, taken.version)
    tag = project_tag(project)
    told: list[str] = []
    for line in load_lines(project.lines_file).lines:
        classes = sorted(set(changes) & set(line_classes(project, line)))
        if not classes:
            continue
        try:
            emit_event(
                event=ARRIVED,
                resource={
                    "prefect.resource.id": resource_of(tag, line.name),
                    "prefect.resource.name": f"line {line.name}",
                },
                payload={
                    "classes": classes,
                    "reason": "new images: "
                    + "; ".join(f"{name} {_words(changes[name])}" for name in classes),
                    "data_version": taken.version,
                },
            )
            EventsWorker.instance().drain()
        except Exception as error:  # noqa: BLE001 - whatever it is, the images are safe
            say(f"Prefect was not told of new images: {type(error).__name__}: {error}")
            return told
        told.append(line.name)
    return told


def _words(change: Change) -> str:
    counts = {
        "added": change.added,
        "removed": change.removed,
        "changed": change.changed,
        "moved": change.moved,
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
