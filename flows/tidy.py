"""Tidy a project by its policy, when it is due: what `patchae tidy --yes` does, as a flow.

What was removed and what stays is a table among the artifacts of the run. A run that is killed is
no harm: the next one ends what it began.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from flows.missed import settle_missed
from flows.run_log import run_log
from patchae.console import say
from patchae.lines_file import load_lines
from patchae.project import Project, prepare_environment
from patchae.steps.tidy import freed, look


@flow(name="tidy")
def tidy(*, root: Path | None = None, line: str | None = None) -> int:
    """Remove what the policy of `lines.yaml` lets go; returns the bytes.

    Args:
        root: a folder in the project; the current folder by default.
        line: only what belongs to this line.

    Raises:
        ConfigError: `lines.yaml` is not usable.
        AccessRefused: the account of this worker may not move aliases.
        StoreBusy, StoreUnreachable: a store is in use for too long, or cannot be used.
    """
    with run_log():
        project = Project.find(root)
        prepare_environment(project)
        policy = load_lines(project.lines_file).retention
        if (end := settle_missed(policy.schedule if policy else None)) is not None:
            return cast(int, end)  # how the run ends, to Prefect
        found = look(project, line, flow_run=str(flow_run.id) if flow_run.id else None)
        removed = list(found.carry_out())
        for one in removed:
            if one.stays:
                say(f"{one.item.kind} {one.item.what} stays: {one.stays}")
        say(f"tidied: {len(removed)} looked at, {freed(removed)} bytes removed")
        create_table_artifact(
            key="tidied",
            table=[
                *(one.to_dict() for one in removed),
                *(
                    {"kind": one.kind, "what": f"{one.count}", "why": one.why, "removed": False}
                    for one in found.plan.kept
                ),
            ],
            description="What the retention policy removed, and what stays",
        )
        return freed(removed)
