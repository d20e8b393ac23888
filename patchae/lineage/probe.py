"""Whether a version still is what it was: its files, its record, and the score of one image.

Before a rollback moves anything, the version that it leads to is loaded and asked about a test
image that was stored with it. It must not be the production line that finds out that its files were
damaged, or that this machine cannot run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patchae.errors import AuditBroken
from patchae.evidence.scores import SCORES_FILE, Scored
from patchae.files import sha256_bytes, sha256_file
from patchae.lineage.contents import model_files
from patchae.lineage.decisions import registered
from patchae.lineage.ledger_view import sound_entries
from patchae.lineage.material import Broken, Facts, Material, NotCheckable
from patchae.registry.beside import Beside, Ended
from patchae.registry.ledger import Ledger
from patchae.registry.tracking import Tracking

FOLDER = "probe"
"""Folder of the run's artifacts with the one image."""
TOLERANCE = 0.01
"""Share by which the score may differ: another device or library rounds otherwise."""


@dataclass(frozen=True)
class Probed:
    """The score of the stored image, then and now."""

    path: str
    recorded: float
    found: float


def probe_of(rows: Sequence[Scored]) -> Scored:
    """The test image to store: the defective one that is hardest to find among those found.

    Near the threshold a change of the model shows first. Where none is found, the first image.
    """
    found = [row for row in rows if row.label and row.decision]
    return min(found, key=lambda row: (row.score, row.path)) if found else rows[0]


def probe(tracking: Tracking, ledger: Ledger, model: str, version: str, beside: Beside) -> Probed:
    """Compare a version's files with its records, load it, and score its stored image.

    Args:
        tracking: MLflow of the project.
        ledger: its ledger.
        model: the registered model.
        version: its version.
        beside: where it is loaded and asked.

    Raises:
        AuditBroken: files, record, image or score are not those that were recorded, or the ledger
            was altered.
        DataError: it cannot be loaded here.
        UsageError: there is no such version.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    known = tracking.version(model, version)
    artifacts, model_folder = tracking.artifacts(known), tracking.model_folder(known)
    facts = Facts(
        Material(
            model=model,
            version=version,
            entries=sound_entries(ledger),  # a record follows any row, also one on another model
            artifacts=artifacts,
            model_folder=model_folder,
        )
    )
    try:
        record = facts.record
    except NotCheckable:
        raise _unusable(facts, "its lineage record cannot be read") from None
    try:
        registered(facts)
        model_files(facts)
        scores = facts.artifact(SCORES_FILE)
    except (Broken, NotCheckable) as error:
        raise _unusable(facts, str(error)) from None
    if sha256_bytes(scores) != record.evaluation.scores_sha256:
        raise _unusable(facts, f"{SCORES_FILE} is not what was registered")
    row = probe_of(facts.scores)
    image = artifacts / FOLDER / Path(row.path).name
    if not image.is_file() or sha256_file(image) != row.sha256:
        raise _unusable(facts, f"{FOLDER}/{image.name} is not the image that was scored")
    try:
        found = beside.score(model_folder, image)
    except Ended as error:
        raise _unusable(facts, f"it cannot be asked on this machine: {error}") from None
    if not abs(found - row.score) <= TOLERANCE * abs(row.score):
        raise _unusable(facts, f"{row.path} scores {found:.6g}, and {row.score:.6g} was recorded")
    return Probed(row.path, row.score, found)


def _unusable(facts: Facts, why: str) -> AuditBroken:
    name = f"{facts.model}/{facts.version}"
    return AuditBroken(
        f"version {facts.version} of {facts.model} must not be used: {why}",
        where="MLflow",
        mend=f"`patchae audit {name}` says more; choose another version with --to",
    )
