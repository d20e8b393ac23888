"""Whether a project's state lies where its MLflow store was made, and having it lie there.

MLflow keeps absolute paths. So the store of a project that was copied or moved still names the
folder of the original: whatever is written or deleted through it would be written and deleted
there. Until `relocate` has made the paths this folder's own, only what reads may run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from patchae.errors import UsageError

ARTIFACTS = Path("mlflow", "artifacts")
"""The embedded store's files, in the folder of a state."""
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
"""Where MLflow's database holds paths of artifacts."""


def local_path(place: str) -> Path | None:
    """Return the path that MLflow means by a place of artifacts; None for one that is not local."""
    parts = urlsplit(place)
    if parts.scheme not in ("", "file") or (parts.scheme == "file" and parts.netloc):
        return None
    return Path(url2pathname(parts.path if parts.scheme else place))  # as MLflow reads both


def former_state(place: str, state: Path) -> Path | None:
    """Return the folder of another state that holds a place of artifacts; None if none does."""
    before, mark, _ = str(local_path(place)).rpartition(f"/{ARTIFACTS.as_posix()}/")
    return Path(before) if mark and _real(Path(before)) != _real(state) else None


def _real(state: Path) -> Path:
    """A state by the true path of its project: a state that is a link lies where the link does."""
    return state.absolute().parent.resolve() / state.name


def relocated(place: str, former: Iterable[Path], state: Path) -> str:
    """Return a place of artifacts, within `state` if it lay in one of the former states."""
    path = local_path(place)
    for folder in former:
        if path and path.is_relative_to(folder / ARTIFACTS):
            return str(state / path.relative_to(folder))
    return place


def former_states(places: Iterable[str], state: Path) -> list[Path]:
    """Return the folders of other states that places of artifacts lie in, sorted."""
    return sorted({folder for place in places if (folder := former_state(place, state))})


def read_former_states(state: Path) -> list[Path]:
    """Return the other states that the experiments of an embedded store lie in, within a moment.

    A store that cannot be read names none: whoever opens it says what is wrong with it.
    """
    database = state / "mlflow" / "mlflow.db"
    if not database.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as store:
            rows = store.execute("SELECT artifact_location FROM experiments").fetchall()
    except sqlite3.Error:
        return []
    return former_states((place for (place,) in rows if place), state)


def describe(former: Path, state: Path) -> str:
    """Return in a sentence that a state is a copy, or was moved."""
    verb = "is a copy of" if exists(former) else "was moved from"
    return f"this project {verb} another folder: MLflow's store still names files in {former}"


def exists(former: Path) -> bool:
    """Whether the original of a state is still there."""
    return (former / "mlflow" / "mlflow.db").is_file()


def shared(former: Path, state: Path) -> Path | None:
    """Return what of two states is the same on the disk, by a link; None: nothing of MLflow is."""
    for name in (Path("mlflow", "mlflow.db"), ARTIFACTS):
        if (state / name).exists() and (state / name).resolve() == (former / name).resolve():
            return state / name
    return None


def not_relocated(former: Path, state: Path) -> UsageError:
    """Return the error of a command that would write or delete in a copied or moved project."""
    return UsageError(
        f"{describe(former, state)}; nothing is written or deleted before that is put right",
        where=str(state),
        mend="`patchae relocate` makes the paths this folder's own; --dry-run shows them first",
    )
