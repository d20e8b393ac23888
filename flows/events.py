"""Tell Prefect of a reason to retrain classes of a line.

Where Prefect's settings name a server, `patchae snapshot` sends an event for each line whose images
changed, and `patchae monitor` one for a class whose drift is confirmed. It is related to the line's
deployment, which one automation runs with the classes and the reason of the event
(`flows.watching`), and so the reason comes into the lineage record.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from flows.connection import api_url
from flows.deployments import RETRAIN, project_tag
from patchae.config import Lines
from patchae.console import say
from patchae.dataset.classes import line_classes
from patchae.dataset.history import Change, changed_classes
from patchae.dataset.version import Snapshot, pinned_version
from patchae.errors import DataError, PatchaeError
from patchae.files import write_json
from patchae.lineage.parts import Trigger
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.types import DataVersion

ARRIVED = "patchae.data-arrived"
DRIFTED = "patchae.drift-confirmed"
REASONS = (ARRIVED, DRIFTED)
"""Events that start the retraining of some classes of a line."""
_TOLD = "announced.json"


def expect(project: Project) -> None:
    """Before a snapshot: keep what each line was told last, so that `announce` tells what follows.

    Whoever is killed right behind the pin, or pins without telling, leaves the next snapshot
    nothing to see that the images are new by. Without a Prefect server nothing is kept.
    """
    if api_url():
        # Whatever is wrong: the snapshot goes on, and says what concerns it.
        with suppress(PatchaeError), project.lock("announced"):
            _told_before(project, load_lines(project.lines_file), pinned_version(project))


def announce(
    project: Project, taken: Snapshot, trained: Mapping[str, Collection[str]] | None = None
) -> list[str]:
    """Send an event for each line that does not know of new images yet; the names of these lines.

    Whoever pinned them: what a line was told last is kept, so a version that another line's run has
    made, or that Prefect could not be told of, is told by the next snapshot. A server that cannot
    be reached is said and stops nobody: the images are versioned all the same.

    Args:
        project: whose images they are.
        taken: the snapshot.
        trained: by line, classes that the caller itself trains on this version.

    Raises:
        ConfigError: `lines.yaml` is not usable.
        DataError, StoreUnreachable: the listing of the version cannot be had.
    """
    told: list[str] = []
    with project.lock("announced"):
        lines = load_lines(project.lines_file)
        known = _told_before(project, lines, taken.before)
        for line in lines.lines:
            before = known[line.name]
            if before != taken.version:
                changes = _changes(project, before, taken.version)
                mine = set(line_classes(project, line)) - set((trained or {}).get(line.name, ()))
                new = {name: changes[name] for name in sorted(set(changes) & mine)}
                try:
                    sent = bool(new) and _send_arrived(project, line.name, taken.version, new)
                except Exception as error:  # noqa: BLE001 - whatever it is, the images are safe
                    say(
                        f"Prefect was not told of new images: {type(error).__name__}: {error}",
                        logging.WARNING,
                    )
                    break
                if sent:
                    told.append(line.name)
            known[line.name] = taken.version
        write_json(project.state / _TOLD, known)
    return told


def _told_before(
    project: Project, lines: Lines, pinned: DataVersion | None
) -> dict[str, DataVersion | None]:
    """The version that each line was told of last; None: of no images at all.

    A line that was never told of any is taken to know what was pinned, and that is kept first of
    all: the next snapshot finds the new version pinned already.
    """
    file = project.state / _TOLD
    try:
        known: dict[str, DataVersion | None] = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    if new := [line.name for line in lines.lines if line.name not in known]:
        known |= dict.fromkeys(new, pinned)
        write_json(file, known)
    return known


def _changes(project: Project, before: DataVersion | None, now: DataVersion) -> dict[str, Change]:
    try:
        return changed_classes(project, before, now)
    except DataError:  # the older listing is gone: everything may be new
        return changed_classes(project, None, now)


def _send_arrived(
    project: Project, line: str, version: DataVersion, changes: Mapping[str, Change]
) -> bool:
    reason = "new images: " + "; ".join(f"{name} {_words(changes[name])}" for name in changes)
    return send(
        project, line, ARRIVED, [*changes], reason, trigger="new_data", data_version=version
    )


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
    from prefect.events.schemas.events import Event, RelatedResource, Resource
    from prefect.exceptions import ObjectNotFound

    tag = project_tag(project)
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(f"{RETRAIN}/{line}")
        except ObjectNotFound:
            deployment = None
        if deployment is None or tag not in deployment.tags:
            say(
                f"Prefect does not retrain line {line} of this project: patchae deploy",
                logging.WARNING,
            )
            return False
        told = Event(
            event=event,
            resource=Resource(
                {
                    "prefect.resource.id": f"{tag.replace(':', '.')}.line.{line}",
                    "prefect.resource.name": f"line {line}",
                }
            ),
            related=[
                RelatedResource(
                    {
                        "prefect.resource.id": f"prefect.deployment.{deployment.id}",
                        "prefect.resource.role": "deployment",
                        "prefect.resource.name": deployment.name,
                    }
                )
            ],
            payload={"classes": [*classes], "reason": reason, "trigger": trigger, **facts},
        )
        # Not `emit_event`, which puts it into a queue and forgets what cannot be delivered.
        client.request("POST", "/events", json=[told.model_dump(mode="json")])
    return True


def _words(change: Change) -> str:
    counts = {
        "added": change.added,
        "removed": change.removed,
        "changed": change.changed,
        "moved": change.moved,
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
