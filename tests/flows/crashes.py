"""Dies at a chosen moment of a class's steps, once per class: `python -m tests.flows.crashes ROOT`.

Each death is a process of its own (`os._exit`, so nothing is cleaned up), forked from one that has
imported everything. Prints one line per death: the moment and the exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from patchae.config import load_lines
from patchae.project import Project, prepare_environment
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking

DEAD = 77


def steps(project: Project, class_name: str, tracking: Tracking) -> Entry:
    """All steps of one class, without Prefect; returns the verdict."""
    from patchae.dataset.version import snapshot
    from patchae.steps.decide import decide_class
    from patchae.steps.enrol import enrol_class
    from patchae.steps.learn import evaluate_class, train_class
    from patchae.steps.prepare import check, job

    line, ledger = load_lines(project.lines_file).line("crash"), Ledger.of(project)
    made = job(
        project,
        line,
        check(project, line, class_name, snapshot(project).version),
        reason="on demand",
    )
    if tracking.with_key(made.model, made.key) is None:
        train_class(made)
        evaluate_class(made)
    return decide_class(made, enrol_class(made, tracking, ledger), tracking, ledger)


def _before(owner: Any, name: str) -> None:
    def die(*_: Any, **__: Any) -> None:
        os._exit(DEAD)

    getattr(owner, name)  # a moment that no longer exists is an error
    setattr(owner, name, die)


def _after(owner: Any, name: str) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def work_and_die(*args: Any, **more: Any) -> None:
        real(*args, **more)
        os._exit(DEAD)

    setattr(owner, name, work_and_die)


def _moments() -> dict[str, Callable[[], None]]:
    import mlflow

    from patchae.model.detector import PatchAE
    from patchae.registry import promotion, registration
    from patchae.steps import decide, learn

    client = mlflow.MlflowClient
    return {
        "weights_saved": lambda: _after(PatchAE, "save"),
        "trained": lambda: _before(learn, "evaluate_class"),
        "scores_written": lambda: _after(learn, "_pictures"),
        "run_created": lambda: _after(client, "create_run"),
        "model_logged": lambda: _before(registration, "_ensure_registered_model"),
        "version_created": lambda: _after(client, "create_model_version"),
        "run_finished": lambda: _after(registration, "register"),
        "registered": lambda: _before(decide, "_verdict"),
        "judged": lambda: _before(decide, "promote"),
        "moved": lambda: _before(promotion, "project"),
        "alias_set": lambda: _after(client, "set_registered_model_alias"),
    }


MOMENTS = (
    *("weights_saved", "trained", "scores_written", "run_created", "model_logged"),
    *("version_created", "run_finished", "registered", "judged", "moved", "alias_set"),
)


def main(root: Path) -> None:
    """Die once at every moment."""
    import torch

    project = Project(root)
    prepare_environment(project)
    moments = _moments()
    torch.set_num_threads(1)
    for name in MOMENTS:
        child = os.fork()
        if child == 0:
            moments[name]()
            steps(project, name, Tracking.open(project))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(name, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
