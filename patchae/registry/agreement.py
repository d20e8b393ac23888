"""What one store names and another lacks: MLflow, the ledger, and the files of versions.

Each alone may look whole after a restore. Together they cannot: MLflow's versions name rows of the
ledger by number and digest, the ledger names versions by run, and versions name files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from patchae.errors import AccessRefused, StoreUnreachable
from patchae.project import Project
from patchae.registry.chain import Entry, Row
from patchae.registry.embedded import address_of, database_of, uri_of
from patchae.registry.ledger import Ledger
from patchae.registry.loading import LET_GO, WEIGHTS_FOLDER
from patchae.registry.standing import champion_of, retired
from patchae.registry.tracking import TAG, Tracking, Version

_ROW = f"{TAG}ledger_"
"""Begins the name of a tag whose value is a row of the ledger: seq:digest."""
_SHOWN = 3


@dataclass(frozen=True)
class Disagreement:
    """One thing that a store names and another lacks."""

    sentence: str
    broken: bool
    """Whether what is deployed, or the proof of it, is concerned; else a person may have meant it,
    as by deleting an old version in MLflow."""


def disagreements(project: Project) -> list[Disagreement]:
    """Return what the stores of a project name and lack; what is broken comes first.

    Raises:
        AuditBroken: a row of the ledger cannot be read.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    ledger = Ledger.of(project)
    entries = ledger.entries()
    if not has_store(project):
        names = {entry.model for entry in entries if entry.kind == "registered"}
        lost = f"MLflow's store is gone, and with it every version of {_some(sorted(names))}"
        return [Disagreement(lost, broken=True)] if names else []
    tracking = Tracking.open(project)
    versions = tracking.all_versions()
    # A training may be at work: versions come before the rows that name them, and tags after.
    rows = ledger.signed_rows()[0]
    found = [Disagreement(fault, broken=True) for fault in lacking_rows(versions, rows)]
    found += _lacking_versions(versions, entries)
    found += _lacking_files(tracking, versions, entries)
    return sorted(found, key=lambda one: not one.broken)


def has_store(project: Project) -> bool:
    """Whether there is an MLflow to ask: opening an embedded store would make an empty one."""
    return address_of(project) != uri_of(project) or database_of(project).is_file()


def lacking_rows(versions: Iterable[Version], rows: Iterable[Row | Entry]) -> list[str]:
    """Return in a sentence per version which rows MLflow names that the ledger does not have."""
    there = {f"{row.seq}:{row.digest}" for row in rows}
    faults = []
    for version in versions:
        named = {value for tag, value in version.tags.items() if tag.startswith(_ROW)}
        lacking = sorted(one.partition(":")[0] for one in named - there)
        if lacking:
            what = f"row{'s' * (len(lacking) > 1)} {', '.join(lacking)}"
            faults.append(
                f"the ledger lacks {what}, which MLflow's version"
                f" {version.model}/{version.version} names"
            )
    return faults


def faults_of(project: Project) -> list[str]:
    """Return what `lacking_rows` finds in a project's MLflow; nothing where there is none.

    Raises:
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    if not has_store(project):
        return []
    versions = Tracking.open(project).all_versions()
    return lacking_rows(versions, Ledger.of(project).signed_rows()[0])


def _lacking_versions(
    versions: Sequence[Version], entries: Sequence[Entry]
) -> Iterator[Disagreement]:
    there = {(one.model, one.version, one.run_id) for one in versions}
    for model, own in _by_model(entries):
        standing, out = set(champion_of(own).aliases().values()), retired(own)
        lost = {
            entry.body["version"]
            for entry in own
            if entry.kind == "registered"
            and (model, entry.body["version"], entry.body["run_id"]) not in there
        }
        for numbers, broken in ((lost & standing, True), (lost - standing - out, False)):
            if numbers:
                told = _some(sorted(numbers, key=int))
                yield Disagreement(
                    f"MLflow lacks version {told} of {model}, which the ledger names", broken
                )


def _lacking_files(
    tracking: Tracking, versions: Sequence[Version], entries: Sequence[Entry]
) -> Iterator[Disagreement]:
    """Of versions whose files lie on this machine: asking a server for all takes minutes."""
    folders = tracking.local_folders()
    standing = {
        (model, version)
        for model, own in _by_model(entries)
        for version in champion_of(own).aliases().values()
    }
    lost: dict[bool, list[str]] = {True: [], False: []}
    for version in versions:
        folder = folders.get(version.model.partition(".")[0])
        _, _, model_id = version.source.partition("models:/")
        if folder is None or not model_id or LET_GO in version.tags:
            continue
        place = folder / "models" / model_id / "artifacts" / WEIGHTS_FOLDER
        if not place.is_dir() or not any(place.iterdir()):
            deployed = (version.model, version.version) in standing
            lost[deployed].append(f"{version.model}/{version.version}")
    for broken, names in lost.items():
        if names:
            yield Disagreement(f"the files of {_some(names)} are gone", broken)


def _by_model(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    for model, own in groupby(sorted(entries, key=lambda one: one.model), lambda one: one.model):
        yield model, sorted(own, key=lambda one: one.seq)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


MEND = (
    "restore MLflow, the ledger and the files from one backup (docs/backup.md); what is not there"
    " cannot be proven"
)


def ask(project: Project) -> tuple[list[Disagreement], str | None]:
    """Return as `disagreements`, or why a store cannot be asked."""
    try:
        return disagreements(project), None
    except (AccessRefused, StoreUnreachable) as error:
        return [], f"{error.what}; whether the stores agree is not known"
