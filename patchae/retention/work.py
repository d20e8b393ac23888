"""What trainings leave in `.patchae/work`: a folder for each training key.

Once a version is registered, MLflow holds all of it and the folder is a second copy. Before that it
is what the next run goes on with, and stays until it is older than `work_days`. A training that
runs holds the model's work as being used (`Project.using`), and nothing of the model is touched.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from patchae.files import remove
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.letting_go import Stays
from patchae.registry.standing import to_train_again
from patchae.retention.item import Asked, Found, folders, newest_change, size_of

GOING = ".tidied-"
"""Begins the name of a folder that is being removed."""


def work(project: Project, ledger: Ledger, asked: Asked) -> Found:
    """The folders of trainings that may go, and why others stay.

    Raises:
        StoreUnreachable: the ledger cannot be used.
    """
    found = Found("work")
    for parent in folders(project.work):
        if not asked.concerns(parent.name):
            continue
        registered = _registered(ledger, parent.name)
        for folder in folders(parent):
            why = _why(folder, registered, asked)
            if why is None:
                found.stay("younger than `work_days`")
            else:
                what = folder.relative_to(project.state).as_posix()
                take = partial(_remove, project, ledger, asked, folder)
                found.go(what, size_of(folder), why, take)
    return found


def _why(folder: Path, registered: set[str], asked: Asked) -> str | None:
    """Why a folder may go; None: it stays."""
    days = asked.policy.work_days
    if folder.name.startswith(GOING):
        return "its removal was interrupted"
    if days is None:
        return None
    if folder.name in registered:
        return "registered: MLflow holds it"
    since = datetime.fromtimestamp(newest_change(folder), UTC)
    return (
        f"never registered, untouched since {since:%Y-%m-%d}" if asked.age(since) >= days else None
    )


def _registered(ledger: Ledger, model: str) -> set[str]:
    """The training keys that need not be trained again."""
    entries = ledger.entries(model)
    gone = to_train_again(entries)
    return {
        entry.body["training_key"]
        for entry in entries
        if entry.kind == "registered" and entry.body["version"] not in gone
    }


def _remove(project: Project, ledger: Ledger, asked: Asked, folder: Path) -> int:
    model = folder.parent.name
    with project.unused(f"work-{model}") as free:
        if not free:
            raise Stays("a training of this class is running")
        if _why(folder, _registered(ledger, model), asked) is None:
            raise Stays("a training has used it meanwhile")
        size = remove_folder(project, folder)
        with suppress(OSError):  # not empty: others are in it
            folder.parent.rmdir()
    return size


def remove_folder(project: Project, folder: Path) -> int:
    """Remove a folder so that no crash leaves half of it under its name; the bytes.

    Raises:
        DataError: it lies outside of the project's state; nothing is removed.
    """
    size = size_of(folder)
    going = folder
    if not folder.name.startswith(GOING):
        going = folder.with_name(f"{GOING}{folder.name}")
        remove(going, project.state)  # of a removal that was interrupted before
        if folder.exists():
            folder.rename(going)
    remove(going, project.state)
    return size
