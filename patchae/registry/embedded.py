"""The embedded store of MLflow: a SQLite file and a folder of the project."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.request import url2pathname

from patchae.files import touch
from patchae.relocation import ARTIFACTS

if TYPE_CHECKING:
    from patchae.project import Project


def database_of(project: Project) -> Path:
    """The file that holds it, made or not."""
    return project.mlflow / "mlflow.db"


def artifacts_of(project: Project) -> Path:
    """The folder of the runs' files."""
    return project.state / ARTIFACTS


def uri_of(project: Project) -> str:
    """How MLflow names it."""
    return f"sqlite:///{database_of(project)}"


def address_of(project: Project) -> str:
    """Return the address of the project's MLflow: `MLFLOW_TRACKING_URI`, or the embedded store.

    A relative path is one of the project's root, whatever the current folder is.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given:
        return uri_of(project)
    scheme, separator, path = given.partition(":")
    if scheme.partition("+")[0] == "sqlite" and path.startswith("///"):
        file = path[3:]
        relative = file and not file.startswith(("/", ":memory:", "file:"))
        return f"{scheme}:///{project.root / file}" if relative else given
    if scheme == "file" and not path.startswith("/"):
        return (project.root / url2pathname(path)).as_uri()
    local = not separator and given not in ("databricks", "databricks-uc", "uc")
    return str(project.root / given) if local else given


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
