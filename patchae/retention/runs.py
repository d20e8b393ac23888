"""Training runs in MLflow that never became a version: failed, killed, or cut off half-way.

Whoever registers a model holds its turn in the ledger. So whoever holds that turn knows that no run
of the model is being written, whatever status MLflow shows of it.
"""

from __future__ import annotations

from functools import partial

from patchae.errors import UsageError
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.registry.chain import Kind
from patchae.registry.ledger import Ledger
from patchae.registry.letting_go import Stays
from patchae.registry.removal import (
    Leftover,
    in_trash,
    is_left_over,
    leftovers,
    remove_run,
    size_of_run,
)
from patchae.registry.tracking import Tracking
from patchae.retention.item import Asked, Found

_REGISTERING: tuple[Kind, ...] = ("registered",)
_LOST = (
    "in MLflow's trash although the ledger names it: `mlflow runs restore` before anybody runs"
    " `mlflow gc`"
)


def runs(project: Project, tracking: Tracking, ledger: Ledger, asked: Asked) -> Found:
    """The runs that may go, and why others stay.

    Raises:
        ConfigError: `lines.yaml` is not usable.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    found, days = Found("run"), asked.policy.failed_runs_days
    lines = {line.name for line in load_lines(project.lines_file).lines}
    lines |= {model.partition(".")[0] for model in ledger.models()}
    named = _named(ledger)
    for line in sorted(lines):
        if not asked.concerns(line):
            continue
        if lost := in_trash(tracking, line) & named:
            found.stay(_LOST, len(lost))
        for run in leftovers(tracking, line):
            if run.run_id in named:
                found.stay("the ledger names it")
            elif days is None or asked.age(run.since) < days:
                found.stay("younger than `failed_runs_days`")
            else:
                try:
                    size = size_of_run(tracking, run.run_id)
                except UsageError as error:  # not ours to remove, whatever MLflow says
                    found.stay(f"{error.what}: {error.where}")
                    continue
                why = f"{run.status} since {run.since:%Y-%m-%d}, and no version"
                remove = partial(_remove, tracking, ledger, asked, run, size)
                found.go(f"{run.model} {run.run_id}", size, why, remove)
    return found


def _remove(tracking: Tracking, ledger: Ledger, asked: Asked, run: Leftover, size: int) -> int:
    tracking.aliases.check_may_move(run.model)  # who may not, may not remove either
    with ledger.turn(run.model):
        if not is_left_over(tracking, run) or run.run_id in _named(ledger):
            raise Stays("it has a version by now")
        note = f"{asked.now.isoformat(timespec='seconds')} by {asked.actor}: no version"
        remove_run(tracking, run.run_id, note)
    return size


def _named(ledger: Ledger) -> set[str]:
    return {row.body["run_id"] for row in ledger.entries(kinds=_REGISTERING)}
