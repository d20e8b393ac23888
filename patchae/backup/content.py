"""What a backup holds, what it leaves out, and what lies elsewhere and is backed up there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from patchae.dataset.dvc_config import default_remote
from patchae.dataset.dvc_repo import EMBEDDED
from patchae.project import Project
from patchae.registry.embedded import address_of, uri_of
from patchae.registry.mlflow_answers import is_server
from patchae.settings import settings

MANIFEST = "backup.json"
"""The last file of the archive: a file that is cut off has none."""
PROJECT, STATE = "project", "state"
"""The two folders in it."""
FILES = ("lines.yaml", "data.dvc", ".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore")
LEFT_OUT = frozenset({"cache", "dvc-site-cache", "home", "locks", "prefect", "trace.db", "work"})
"""Of the state: what is made again when it is needed, and what belongs to this machine."""
_LEFTOVERS = (".lock", "-journal", "-wal", "-shm")


class File(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """What a backup says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    patchae: str
    made: str
    """When, ISO 8601, UTC."""
    host: str
    state: str
    """Where the state lay, absolute."""
    data_version: str | None
    ledger_rows: int
    elsewhere: tuple[str, ...]
    """What is not part of it, a sentence each."""
    files: dict[str, File]
    """By their names in the archive."""


def files_of(project: Project) -> Iterator[tuple[str, Path]]:
    """Yield the files that belong into a backup, each with its name there; links are followed."""
    for name in FILES:
        if (project.root / name).is_file():
            yield f"{PROJECT}/{name}", project.root / name
    for parent, folders, names in os.walk(project.state, followlinks=True):
        within = Path(parent).relative_to(project.state)
        out = () if within.parts else LEFT_OUT
        folders[:] = sorted(name for name in folders if name not in out)
        for name in sorted(names):
            path = Path(parent, name)
            if name not in out and not name.endswith(_LEFTOVERS) and path.is_file():
                yield f"{STATE}/{(within / name).as_posix()}", path


def elsewhere(project: Project) -> list[str]:
    """Return what the project uses and a backup does not hold, with what to use for it."""
    found, uri = [], address_of(project)
    if is_server(uri):
        found.append("MLflow is a server: back up its database and its bucket of artifacts")
    elif uri != uri_of(project):
        found.append("MLflow's database is not in the state: back it up with its own tools")
    if settings().ledger_url:
        found.append(
            "the ledger is in PostgreSQL: pg_dump; `patchae ledger export FILE` writes its rows"
        )
    configured = [project.root / ".dvc" / name for name in ("config", "config.local")]
    remotes = [
        default_remote(file.read_text("utf-8"), str(file)) for file in configured if file.is_file()
    ]
    if named := [name for name in remotes if name not in (None, EMBEDDED)]:
        found.append(f"the images are in the DVC remote '{named[-1]}': back that up there")
    if settings().predictions:
        found.append(f"decisions are in {settings().predictions}: back up the bucket")
    if configured[1].is_file():
        found.append(".dvc/config.local may hold keys: keep it where keys are kept")
    if settings().ledger_key:
        found.append("the key that signs the ledger: keep it where keys are kept")
    if (project.root / ".git").exists():
        found.append("Git's history: git push, or git bundle")
    return found
