"""Find all that the policy lets go, and remove it, one thing after the other.

A tidying may be killed at any moment: the next one finds what is left of the same things and ends
in the same state. Two at a time wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from patchae.errors import AccessRefused, StoreBusy, UsageError
from patchae.files import Progress, silent
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.letting_go import Stays
from patchae.registry.tracking import Tracking
from patchae.retention.aged import drift, recent
from patchae.retention.cache import cache
from patchae.retention.item import Asked, Item, Kept
from patchae.retention.log import note
from patchae.retention.runs import runs
from patchae.retention.weights import weights
from patchae.retention.work import work


@dataclass(frozen=True)
class Plan:
    """What may go, and what stays and why."""

    items: tuple[Item, ...]
    kept: tuple[Kept, ...]

    @property
    def bytes(self) -> int:
        """Of all that may go."""
        return sum(item.bytes for item in self.items)


def plan(project: Project, tracking: Tracking, ledger: Ledger, asked: Asked) -> Plan:
    """Look for what may go; nothing is changed.

    Raises:
        ConfigError: `lines.yaml` is not usable.
        StoreUnreachable: MLflow, the ledger or the DVC remote cannot be used.
    """
    found = (
        # What is local comes first: an account that may not touch MLflow still does that.
        work(project, ledger, asked),
        cache(project, tracking, ledger, asked),
        recent(project, asked),
        drift(project, asked),
        runs(project, tracking, ledger, asked),
        weights(tracking, ledger, asked),
    )
    return Plan(
        tuple(item for one in found for item in one.items),
        tuple(kept for one in found for kept in one.kept),
    )


def carry_out(
    project: Project, items: Iterable[Item], asked: Asked, progress: Progress = silent
) -> Iterator[tuple[Item, int | str]]:
    """Remove the things one by one; yields each with the bytes that went, or why it stays.

    Raises:
        AccessRefused: this account may not.
        OSError: the log of tidying cannot be written; what it lacks is not removed.
        StoreBusy: another process has been tidying for too long.
        StoreUnreachable: MLflow, the ledger or the DVC remote cannot be used.
    """
    due = list(items)
    with project.lock("tidy"):
        for done, item in enumerate(due, 1):
            note(project, asked, item, "begins", item.bytes)
            try:
                freed = item.remove()
            except AccessRefused:
                raise
            except (Stays, StoreBusy, UsageError, OSError) as reason:
                note(project, asked, item, "stays", 0)
                yield item, _told(reason)
            else:
                note(project, asked, item, "done", freed)
                yield item, freed
            progress("tidying", done, len(due))


def _told(reason: Stays | StoreBusy | UsageError | OSError) -> str:
    if isinstance(reason, OSError):  # such as a file of another account; the rest may go
        where = f": {reason.filename}" if reason.filename else ""
        return f"it cannot be removed: {reason.strerror or reason}{where}"
    if isinstance(reason, UsageError):  # such as a path that leads out of the state
        return f"{reason.what}: {reason.where}"
    return reason.what if isinstance(reason, StoreBusy) else str(reason)
