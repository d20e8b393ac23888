"""Whether a version may be served.

What MLflow's alias names is served only if the ledger says the same, if nothing of its audit is
broken, and if the files that are loaded are, by their digests, those that were judged. What else
cannot be checked, such as a store of images that does not answer, stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patchae.errors import AliasMoved, AuditBroken, StoreUnreachable, UsageError
from patchae.files import digests_of
from patchae.lineage.gather import Scope, audit_model
from patchae.lineage.naming import lineage_of
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.registration import WRITTEN_ON_DOWNLOAD
from patchae.registry.standing import CHAMPION, champion_of, threshold_in_force
from patchae.registry.tracking import Tracking

Keys = tuple[str, ...] | None
NEEDED = frozenset({"ledger_chain", "registered", "verdict", "lineage_record"})
"""Links that must be intact; any other one may be impossible to check now."""


@dataclass(frozen=True)
class Named:
    """What is to be served of a model."""

    version: str
    threshold: float | None
    """By the ledger; None: the one that training set."""


def named(tracking: Tracking, ledger: Ledger, name: str) -> Named:
    """The version that is champion by MLflow and by the ledger, and its threshold.

    Raises:
        UsageError: the model has no champion.
        AliasMoved: they say different things, for now or for good.
        StoreUnreachable: one of them does not answer.
    """
    alias = tracking.aliases.get(name).get(CHAMPION)
    entries = ledger.entries(name)
    told = champion_of(entries).current
    if alias is None and told is None:
        raise UsageError(
            f"{name} has no champion", mend="`patchae status` lists the models that have one"
        )
    if alias != told:
        raise AliasMoved(
            f"MLflow's alias of {name} names version {alias}, the ledger {told}",
            mend="`patchae audit` says who moved it; a promotion that is under way ends by itself",
        )
    return Named(str(alias), threshold_in_force(entries, str(alias)))


def prove(
    project: Project, tracking: Tracking, name: str, version: str, keys: Keys
) -> dict[str, Any]:
    """Audit a version that is to be served; its lineage record.

    Raises:
        AuditBroken: a link of its audit is broken.
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    links = audit_model(project, tracking, f"{name}/{version}", Scope(keys=keys)).links
    for link in links:
        if link.state == "broken":
            raise AuditBroken(
                f"{name}/{version} is not served: '{link.title}' does not hold: {link.detail}",
                mend=f"patchae audit {name}/{version}",
            )
    for link in links:
        if link.code in NEEDED and link.state != "intact":
            raise StoreUnreachable(
                f"'{link.title}' could not be checked of {name}/{version}: {link.detail}",
                mend=f"patchae audit {name}/{version}",
            )
    _, _, record = lineage_of(project, tracking, f"{name}/{version}")
    return record


def require_files(folder: Path, files: Mapping[str, Mapping[str, Any]], what: str) -> None:
    """Refuse a folder that does not hold the files of a lineage record, to the last byte.

    Raises:
        AuditBroken: a file is missing, another one, or not among them.
    """
    expected = {name: file["sha256"] for name, file in files.items()}
    found = {k: v for k, v in digests_of(folder).items() if k not in WRITTEN_ON_DOWNLOAD}
    other = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if other:
        raise AuditBroken(
            f"{what} is not served: {other[0]}: what MLflow gave is not what was logged",
            mend=f"patchae audit {what}",
        )
