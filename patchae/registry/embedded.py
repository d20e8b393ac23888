"""The embedded store of MLflow: a SQLite file and a folder of the project."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from patchae.files import touch

if TYPE_CHECKING:
    from patchae.project import Project


def database_of(project: Project) -> Path:
    """The file that holds it, made or not."""
    return project.mlflow / "mlflow.db"


def artifacts_of(project: Project) -> Path:
    """The folder of the runs' files."""
    return project.mlflow / "artifacts"


def uri_of(project: Project) -> str:
    """How MLflow names it."""
    return f"sqlite:///{database_of(project)}"


def create(project: Project) -> None:
    """Make the embedded store where there is none: in one step, for MLflow makes it in many.

    One that a crash or a full disk left half made could neither be used nor finished.
    """
    database = database_of(project)
    if database.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with TemporaryDirectory(dir=database.parent, prefix=".new-") as folder:
        draft = Path(folder) / database.name
        touch(draft)
        store = SqlAlchemyStore(f"sqlite:///{draft}", str(artifacts_of(project)))
        store.engine.dispose()
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.replace(database)
