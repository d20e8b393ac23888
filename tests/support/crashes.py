"""Dies at a chosen moment of a class's steps: `python -m tests.support.crashes ROOT`.

Each death is a process of its own (`os._exit`, so nothing is cleaned up), forked from one that has
imported everything. Prints one line per death: the moment and the exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from patchae.project import Project, prepare_environment
from patchae.registry.tracking import Tracking
from tests.support.dying import after, before
from tests.support.plant import steps

HEAVY = (
    *("mlflow.pyfunc", "mlflow.artifacts", "mlflow.store.tracking.sqlalchemy_store"),
    *("mlflow.store.model_registry.sqlalchemy_store", "dvc.repo", "timm", "matplotlib.figure"),
    *("patchae.model.training", "patchae.model.evaluation", "patchae.report.heatmaps"),
)


def _moments() -> dict[str, Callable[[], None]]:
    import mlflow

    from patchae.model.detector import PatchAE
    from patchae.registry import promotion, registration
    from patchae.steps import decide, pictures

    client = mlflow.MlflowClient
    return {
        "weights_saved": lambda: after(PatchAE, "save"),
        "scores_written": lambda: after(pictures, "pictures_of"),
        "run_created": lambda: after(client, "create_run"),
        "model_logged": lambda: before(registration, "_ensure_registered_model"),
        "version_created": lambda: after(client, "create_model_version"),
        "judged": lambda: before(decide, "promote"),
        "moved": lambda: before(promotion, "follow"),
    }


UNTRAINED = ("weights_saved", "scores_written")
TRAINED = ("run_created", "model_logged", "version_created", "judged", "moved")
MOMENTS = UNTRAINED + TRAINED


def main(root: Path) -> None:
    """Die once at every moment."""

    project = Project(root)
    prepare_environment(project)
    moments = _moments()
    for library in HEAVY:  # once, and not in every process that dies
        import_module(library)
    for name in MOMENTS:
        child = os.fork()
        if child == 0:
            moments[name]()
            steps(project, "crash", name, Tracking.open(project))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(name, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
