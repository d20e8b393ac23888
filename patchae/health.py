"""What `patchae doctor` looks at: whether a project's parts are there and agree, within seconds.

Each check gives one `Finding`. A check never raises for what it looks for: that is its finding.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

from patchae import servers
from patchae.errors import AccessRefused, DataError, PatchaeError
from patchae.network import shown
from patchae.project import Project
from patchae.servers import PrefectServer

State = Literal["ok", "warn", "fail"]
_GB = 1_000_000_000
LOW_BYTES, EMPTY_BYTES = 5 * _GB, _GB
"""Below the first a warning, below the second a failure: one training writes less than 1 GB."""
LATE_S, WRONG_S = 5.0, 60.0
"""Above the first a warning, above the second a failure: S3 refuses what is 15 minutes off."""


@dataclass(frozen=True)
class Finding:
    """What one check found; `mend` says what to do, and is empty when all is well."""

    check: str
    state: State
    detail: str
    mend: str = ""


def examine(project: Project, prefect: PrefectServer | None) -> Iterator[Finding]:
    """The findings one after the other, as they are made. Makes nothing but MLflow's empty store.

    Args:
        project: whose parts they are.
        prefect: the server that Prefect's settings name, if they name one.

    Raises:
        ConfigError: a setting of the environment is not usable.
    """
    for name, check in checks(prefect).items():
        try:
            told = check(project)
            if told is None:
                continue
            state, detail, mend = told
        except PatchaeError as error:
            where = f" ({error.where})" if error.where else ""
            state, detail, mend = "fail", f"{error.what}{where}", error.mend or ""
        yield Finding(name, state, detail, mend)


Told = tuple[State, str, str]
"""State, detail, mend."""


def _lines(project: Project) -> Told:
    from patchae.dataset.classes import check_names, check_per_class, line_classes
    from patchae.dataset.layout import image_files
    from patchae.lines_file import load_lines

    lines = load_lines(project.lines_file).lines
    for line in lines:
        check_names(project, line)
        if known := line_classes(project, line):
            check_per_class(project, line, known)
    told = f"lines.yaml: {', '.join(line.name for line in lines)}"
    if loose := image_files(project.data):
        more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
        return (
            "warn",
            f"{told}; data/{loose[0].name}{more} in no class: images lie in data/ itself",
            "move them to data/CLASS/train/good, or out of data/",
        )
    return "ok", told, ""


def _ledger(project: Project) -> Told:
    from patchae.registry import chain, signing
    from patchae.registry.ledger import Ledger

    rows, signatures = Ledger.of(project).signed_rows()
    faults = chain.faults(rows) + signing.faults(rows, signatures)
    if faults:
        return "fail", faults[0], "restore it from a backup; docs/ledger.md says more"
    may = servers.ledger_server(project)
    told = f"{len(rows)} rows, {signing.counted(signatures)}; the chain is intact"
    return "ok", f"{told}; {may}" if may else told, ""


def _place(project: Project) -> Told:
    from patchae.relocation import describe, read_former_states

    former = read_former_states(project.state)
    if former:
        return "fail", describe(former[0], project.state), "patchae relocate"
    return "ok", f"the state belongs in {project.state}", ""


def _mlflow(project: Project) -> Told:
    from patchae.lines_file import load_lines
    from patchae.registry.tracking import Tracking

    told = servers.mlflow_server()
    tracking = Tracking.open(project)
    ours = told is not None or os.access(project.mlflow, os.W_OK)  # else the check `disk` says so
    for line in load_lines(project.lines_file).lines:
        if tracking.known_experiment(line.name) and ours:
            with suppress(AccessRefused):  # what this account may do is told below
                tracking.require_writable(line.name)
    return "ok", told or shown(tracking.uri), ""


def _stores(project: Project) -> Told | None:
    from patchae.registry.agreement import MEND, ask

    found, unknown = ask(project)
    if unknown:  # the check of that store says so
        return None
    if not found:
        return "ok", "MLflow, the ledger and the files of versions name each other", ""
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    told = "; ".join(one.sentence for one in found[:3]) + more
    return "fail" if found[0].broken else "warn", told, MEND


def _aliases(project: Project) -> Told:
    from patchae.registry.aliases import look
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import CHAMPION
    from patchae.registry.tracking import Tracking

    entries, aliases = Ledger.of(project).entries(), Tracking.open(project).aliases
    models = sorted({entry.model for entry in entries})
    interrupted, lost = [], []
    for model in models:
        found = look([one for one in entries if one.model == model], aliases, model)
        if found.state == "moved" or (found.state == "lost" and CHAMPION in found.lost):
            error = found.error(model)
            return "fail", error.what, error.mend or ""
        if found.state == "interrupted":
            interrupted.append(model)
        if found.state == "lost":
            lost.append(found.error(model))
    if interrupted:
        names = ", ".join(interrupted)
        return "warn", f"a move of {names} was interrupted", "the next retraining finishes it"
    if lost:
        return "warn", lost[0].what, lost[0].mend or ""
    return "ok", f"those of {len(models)} models are where the ledger says", ""


def _data(project: Project) -> Told:
    from patchae.dataset.version import pinned_version, stored

    tried = servers.bucket(project)
    pinned = pinned_version(project)
    if pinned is None:
        told = "data.dvc pins no version yet"
        return "warn", f"{told}; {tried}" if tried else told, "patchae snapshot"
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
    told = f"the pinned version {pinned} is stored"
    return "ok", f"{told}; {tried}" if tried else told, ""


def _prefect(_project: Project, prefect: PrefectServer | None) -> Told | None:
    return ("ok", servers.prefect_server(prefect), "") if prefect else None


def _workers(project: Project, prefect: PrefectServer | None) -> Told | None:
    from patchae.lines_file import load_lines

    if prefect is None:
        return None
    lines = load_lines(project.lines_file)
    named = {pool for line in lines.lines for pool in (line.work_pool, line.data_pool) if pool}
    pools = sorted(named | ({lines.retention.work_pool} if lines.retention else set()))
    live = {pool: prefect.live_workers(pool) for pool in pools}
    told = ", ".join(
        f"{pool}: {'no such pool' if count is None else f'{count} live'}"
        for pool, count in live.items()
    )
    idle = [pool for pool, count in live.items() if not count]
    mend = f"on a worker: prefect worker start --pool {idle[0]} --type process" if idle else ""
    return "fail" if idle else "ok", told, mend


def _clock(project: Project, prefect: PrefectServer | None) -> Told | None:
    ahead = servers.clocks(project, prefect)
    if not ahead:
        return None
    told = ", ".join(f"{name} {seconds:+.1f} s" for name, seconds in ahead.items())
    worst = max(abs(seconds) for seconds in ahead.values())
    state: State = "ok" if worst <= LATE_S else "warn" if worst <= WRONG_S else "fail"
    return state, told, "" if state == "ok" else "set the clocks by one time server (NTP)"


def _disk(project: Project) -> Told:
    folder = project.state if project.state.exists() else project.root
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free >= LOW_BYTES else "warn" if free >= EMPTY_BYTES else "fail"
    told = f"{free / _GB:.1f} GB free at {folder}"
    if state == "ok" and not os.access(folder, os.W_OK):
        told = f"{told}; this user may read there, and not write"
        return "warn", told, "use its owner's account, or let the group write: docs/network.md"
    mend = "" if state == "ok" else "make room, or set PATCHAE_STATE to a folder on another disk"
    return state, told, mend


def checks(prefect: PrefectServer | None) -> dict[str, Callable[[Project], Told | None]]:
    """By their names, which `docs/doctor.md` and JSON use; None: there is nothing to look at."""
    return {
        "lines": _lines,
        "place": _place,
        "ledger": _ledger,
        "mlflow": _mlflow,
        "stores": _stores,
        "aliases": _aliases,
        "data": _data,
        "prefect": partial(_prefect, prefect=prefect),
        "workers": partial(_workers, prefect=prefect),
        "clock": partial(_clock, prefect=prefect),
        "disk": _disk,
    }
