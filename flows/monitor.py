"""Look for drift at the classes of a line, and have those retrained whose drift is confirmed.

Where Prefect has the line's deployment, an event starts the retraining with the evidence as its
reason; the reason ends in the lineage record of the new version and in the ledger.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.events import DRIFTED, send
from flows.missed import settle_missed
from flows.run_log import run_log
from flows.train_class import passes
from patchae.console import progress_of, record, say
from patchae.dataset.classes import line_classes
from patchae.drift import store
from patchae.drift.finding import Drift
from patchae.lines_file import load_lines
from patchae.project import Project, prepare_environment
from patchae.registry.tracking import Tracking
from patchae.report.drift_page import write_drift_page
from patchae.report.site import start_path, write_site
from patchae.steps.monitor import Seen
from patchae.steps.monitor import monitor as look_at


@task(
    name="look for drift",
    retries=3,
    retry_delay_seconds=[2, 10, 30],
    retry_condition_fn=passes,
    cache_policy=NO_CACHE,
)
def look(root: Path, line_name: str, class_name: str) -> Seen:
    """Look at one class."""
    project = Project(root)
    prepare_environment(project)
    line = load_lines(project.lines_file).line(line_name)
    tracking = Tracking.open(project)
    (seen,) = look_at(project, tracking, line, [class_name], progress=progress_of(class_name))
    record(f"{seen.model}: {_words(seen)}")
    return seen


@flow(name="monitor", flow_run_name="monitor {line_name}")
def monitor(*, line_name: str, root: Path) -> list[str]:
    """Look at every class of a line; the classes whose retraining was asked for.

    Args:
        line_name: a line of `lines.yaml`.
        root: the project's folder, with the images that the scoring service kept.

    Raises:
        ConfigError, UsageError: `lines.yaml` is not usable, or has no such line.
    """
    with run_log():
        project = Project(root)
        prepare_environment(project)
        line = load_lines(project.lines_file).line(line_name)
        if (end := settle_missed(line.drift.schedule)) is not None:
            return cast(list[str], end)  # how the run ends, to Prefect
        seen = [look(root, line.name, name) for name in line_classes(project, line)]
        asked = [one.class_name for one in seen if ask(project, line.name, one)]
        create_table_artifact(
            key="drift",
            table=[_row(one, one.class_name in asked) for one in seen],
            description=f"Line {line.name}: what a look for drift found",
        )
        site(project)
        return asked


@task(name="site", cache_policy=NO_CACHE)
def site(project: Project) -> Path:
    """Renew the pages: what was found stands on the start page."""
    write_site(project, Tracking.open(project))
    return start_path(project)


def ask(project: Project, line: str, seen: Seen) -> bool:
    """Have a class retrained whose drift is confirmed; whether that was asked for."""
    if not seen.due or seen.drift is None:
        return False
    sent = send(
        project,
        line,
        DRIFTED,
        [seen.class_name],
        seen.drift.reason,
        trigger="drift",
        version=seen.drift.version,
        looked=seen.drift.checked,
    )
    if sent:
        told = store.mark_asked(project, seen.drift)
        write_drift_page(project, told)
        say(f"{seen.model}: retraining asked for: {seen.drift.reason}")
    return sent


def _finding(found: Drift | None) -> str:
    if found is None:
        return ""
    return "drift" if found.confirmed else "seen once" if found.drifted else "no drift"


def _words(seen: Seen) -> str:
    return "; ".join(one for one in (_finding(seen.drift), seen.why_not) if one)


def _row(seen: Seen, asked: bool) -> dict[str, Any]:
    found = seen.drift
    return {
        "class": seen.class_name,
        "version": found.version if found else None,
        "images": found.images if found else None,
        "finding": _words(seen),
        "retraining": "asked for" if asked else "",
        "page": str(seen.page or ""),
    }
