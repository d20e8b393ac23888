"""Dies at chosen moments of a tidying, once each: `python -m tests.support.retention.deaths ROOT`.

Each death is a process of its own (`os._exit`, so nothing is cleaned up), forked from one that has
imported everything, and finds what the deaths before it have left. Prints the moment and the exit
code.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patchae.project import Project, prepare_environment
from patchae.registry.ledger import Transaction
from patchae.registry.tracking import Tracking
from patchae.retention import tidy, weights
from patchae.retention.item import Kind
from patchae.steps.tidy import look
from tests.support.dying import DEAD, after, before
from tests.support.retention.shop import LATER


def _half_a_folder() -> None:
    """Only some of a folder is gone when the process dies."""

    def some(folder: Any, **_: Any) -> None:
        if Path(folder).is_dir():
            next(path for path in Path(folder).rglob("*") if path.is_file()).unlink()
            os._exit(DEAD)

    shutil.rmtree = some  # type: ignore[assignment]


def _of_client(patch: Callable[[Any, str], None], name: str) -> Callable[[], None]:
    def apply() -> None:
        import mlflow

        patch(mlflow.MlflowClient, name)

    return apply


MOMENTS: dict[str, tuple[Kind, Callable[[], None]]] = {
    "noted": ("weights", lambda: after(tidy, "note")),
    "row_not_committed": ("weights", lambda: after(Transaction, "append")),
    "row_written": ("weights", lambda: after(weights, "let_weights_go")),
    "weights_removed": ("weights", lambda: after(weights, "remove_model_files")),
    "linked": ("weights", lambda: after(Tracking, "link")),
    "run_tagged": ("run", _of_client(after, "set_tag")),
    "model_files_gone": ("run", _of_client(before, "delete_logged_model")),
    "model_gone": ("run", _of_client(after, "delete_logged_model")),
    "run_half_removed": ("run", _half_a_folder),
    "run_files_gone": ("run", _of_client(before, "delete_run")),
    "run_gone": ("run", _of_client(after, "delete_run")),
    "work_moved_away": ("work", lambda: after(Path, "rename")),
    "work_half_removed": ("work", _half_a_folder),
}
"""What is tidied and how its process dies, by moment."""


def main(root: Path) -> None:
    """Die once at every moment."""
    project = Project(root)
    prepare_environment(project)
    os.chdir(root)
    for name, (kind, deadly) in MOMENTS.items():
        child = os.fork()
        if child == 0:
            found = look(project, clock=lambda: datetime.now(UTC) + LATER)
            deadly()
            items = [item for item in found.plan.items if item.kind == kind]
            for _ in tidy.carry_out(project, items, found.asked):
                pass
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(name, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
