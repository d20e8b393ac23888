"""Tidy a project by its policy: look, then remove. A person is asked in between, a flow is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from patchae.config import Retention
from patchae.errors import UsageError
from patchae.files import Progress, silent
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking
from patchae.retention import tidy
from patchae.retention.item import Asked, Item
from patchae.retention.tidy import Plan
from patchae.retention.work import work
from patchae.settings import settings


@dataclass(frozen=True)
class Removed:
    """What came of one thing that was to go."""

    item: Item
    bytes: int
    """That went."""
    stays: str | None
    """Why it was left after all; None: it is gone."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": self.item.kind,
            "what": self.item.what,
            "bytes": self.bytes,
            "why": self.stays or self.item.why,
            "removed": self.stays is None,
        }


@dataclass(frozen=True)
class Tidying:
    """A project that was looked through."""

    project: Project
    asked: Asked
    plan: Plan

    def carry_out(self, progress: Progress = silent) -> Iterator[Removed]:
        """Remove what may go, one thing after the other; `patchae.retention.tidy` says how."""
        for item, came in tidy.carry_out(self.project, self.plan.items, self.asked, progress):
            stays = isinstance(came, str)
            yield Removed(item, 0 if stays else int(came), str(came) if stays else None)


def look(
    project: Project,
    line: str | None = None,
    *,
    flow_run: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Tidying:
    """What may go by the policy of `lines.yaml`, or by the defaults where it has none.

    Args:
        project: the project.
        line: only what belongs to this line, which may be gone from `lines.yaml`.
        flow_run: id of the flow run that tidies, for the ledger.
        clock: what time it is.

    Raises:
        ConfigError: `lines.yaml` is not usable.
        UsageError: neither `lines.yaml` nor the ledger knows the line.
        StoreUnreachable: MLflow, the ledger or the DVC remote cannot be used.
    """
    lines, ledger = load_lines(project.lines_file), Ledger.of(project, flow_run=flow_run)
    if line is not None:
        known = {one.name for one in lines.lines}
        known |= {model.partition(".")[0] for model in ledger.models()}
        if line not in known:
            raise UsageError(
                f"no line is called '{line}'",
                where=project.lines_file.name,
                mend=f"use one of: {', '.join(sorted(known))}",
            )
    asked = Asked(lines.retention or Retention(), clock(), settings().who(), line)
    return Tidying(project, asked, tidy.plan(project, Tracking.open(project), ledger, asked))


def tidy_work(project: Project) -> None:
    """Remove what trainings left in a workplace, by the policy that travelled with it.

    A worker without the project's folder does so at the end of each run: nobody else looks there.

    Raises:
        StoreUnreachable: the ledger cannot be used.
    """
    policy = load_lines(project.lines_file).retention
    if policy is None:
        return
    asked = Asked(policy, datetime.now(UTC), settings().who())
    items = work(project, Ledger.of(project), asked).items
    for _ in tidy.carry_out(project, items, asked):
        continue


def freed(removed: Sequence[Removed]) -> int:
    """Bytes of what is gone."""
    return sum(one.bytes for one in removed)
