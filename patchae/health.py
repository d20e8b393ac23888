"""What `patchae doctor` looks at: whether a project's parts are there and agree, within seconds.

Each check gives one `Finding`. A check never raises for what it looks for: that is its finding.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from patchae.errors import DataError, PatchaeError
from patchae.project import Project

State = Literal["ok", "warn", "fail"]
_GB = 1_000_000_000
LOW_BYTES, EMPTY_BYTES = 5 * _GB, _GB
"""Below the first a warning, below the second a failure: one training writes less than 1 GB."""


@dataclass(frozen=True)
class Finding:
    """What one check found; `mend` says what to do, and is empty when all is well."""

    check: str
    state: State
    detail: str
    mend: str = ""


def examine(project: Project) -> Iterator[Finding]:
    """The findings one after the other, as they are made. Makes nothing but MLflow's empty store.

    Raises:
        ConfigError: a setting of the environment is not usable.
    """
    for name, check in CHECKS.items():
        try:
            state, detail, mend = check(project)
        except PatchaeError as error:
            where = f" ({error.where})" if error.where else ""
            state, detail, mend = "fail", f"{error.what}{where}", error.mend or ""
        yield Finding(name, state, detail, mend)


Told = tuple[State, str, str]


def _lines(project: Project) -> Told:
    from patchae.lines_file import load_lines

    names = [line.name for line in load_lines(project.lines_file).lines]
    return "ok", f"lines.yaml: {', '.join(names)}", ""


def _ledger(project: Project) -> Told:
    from patchae.registry import chain, signing
    from patchae.registry.ledger import Ledger

    rows, signatures = Ledger.of(project).signed_rows()
    faults = chain.faults(rows) + signing.faults(rows, signatures)
    if faults:
        return "fail", faults[0], "restore it from a backup; docs/ledger.md says more"
    return "ok", f"{len(rows)} rows, {len(signatures)} of them signed; the chain is intact", ""


def _mlflow(project: Project) -> Told:
    from patchae.registry.tracking import Tracking

    return "ok", Tracking.open(project).uri, ""


def _aliases(project: Project) -> Told:
    from patchae.registry.alignment import compare
    from patchae.registry.ledger import Ledger
    from patchae.registry.tracking import Tracking

    entries, aliases = Ledger.of(project).entries(), Tracking.open(project).aliases
    models = sorted({entry.model for entry in entries})
    interrupted = []
    for model in models:
        found = compare([one for one in entries if one.model == model], aliases.get(model))
        if found.state == "moved":
            error = found.error(model)
            return "fail", error.what, error.mend or ""
        if found.state == "interrupted":
            interrupted.append(model)
    if interrupted:
        names = ", ".join(interrupted)
        return "warn", f"a move of {names} was interrupted", "the next retraining finishes it"
    return "ok", f"those of {len(models)} models are where the ledger says", ""


def _data(project: Project) -> Told:
    from patchae.dataset.version import pinned_version, stored

    pinned = pinned_version(project)
    if pinned is None:
        return "warn", "data.dvc pins no version yet", "patchae snapshot"
    try:
        held = stored(project, [pinned])
    except DataError as error:
        return "warn", error.what, error.mend or ""
    if pinned not in held:
        return (
            "fail",
            f"the remote does not hold the pinned version {pinned}",
            "patchae snapshot, while data/ is still here; `patchae doctor --data` reads all of it",
        )
    return "ok", f"the pinned version {pinned} is stored", ""


def _disk(project: Project) -> Told:
    folder = project.state if project.state.exists() else project.root
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free >= LOW_BYTES else "warn" if free >= EMPTY_BYTES else "fail"
    mend = "" if state == "ok" else "make room, or set PATCHAE_STATE to a folder on another disk"
    return state, f"{free / _GB:.1f} GB free at {folder}", mend


CHECKS: dict[str, Callable[[Project], Told]] = {
    "lines": _lines,
    "ledger": _ledger,
    "mlflow": _mlflow,
    "aliases": _aliases,
    "data": _data,
    "disk": _disk,
}
"""By their names, which `docs/doctor.md` and JSON use."""
