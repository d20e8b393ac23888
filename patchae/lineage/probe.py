"""Whether a version still is what it was: its files, its record, and the score of one image.

Before a rollback moves anything, the version that it leads to is loaded and asked about a test
image that was stored with it. It must not be the production line that finds out that its files were
damaged, or that this machine cannot run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patchae.errors import DataError, NegativeFinding
from patchae.evidence.scores import SCORES_FILE, Scored, read_scores
from patchae.files import sha256_bytes, sha256_file
from patchae.lineage.record import digest, load
from patchae.registry.chain import Entry
from patchae.registry.loading import load_version
from patchae.registry.registration import LINEAGE_FILE
from patchae.registry.standing import registrations
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


def probe(tracking: Tracking, entries: Sequence[Entry], model: str, version: str) -> Probed:
    """Load a version and score its stored image.

    Args:
        tracking: MLflow.
        entries: the ledger's rows on the model.
        model: registered name.
        version: of the model.

    Raises:
        NegativeFinding: files, record, image or score are not those that were recorded.
        DataError: it cannot be loaded here.
        StoreUnreachable: MLflow does not answer.
    """
    known = tracking.version(model, version)
    artifacts, name = tracking.artifacts(known), f"{model}/{version}"
    record = load(_text(artifacts / LINEAGE_FILE, name))
    told = [row.body["lineage_sha256"] for row in registrations(entries, version)]
    if digest(record) not in told:
        raise _changed(name, f"{LINEAGE_FILE}: its digest is not that in the ledger")
    folder = tracking.model_folder(known)
    for file, listed in record["files"].items():
        if not (folder / file).is_file() or sha256_file(folder / file) != listed["sha256"]:
            raise _changed(name, f"{file}: its content is not what was logged")
    scores = _text(artifacts / SCORES_FILE, name)
    if sha256_bytes(scores.encode()) != record["evaluation"]["scores_sha256"]:
        raise _changed(name, f"{SCORES_FILE}: its content is not what was logged")
    row = probe_of(read_scores(scores))
    image = artifacts / FOLDER / Path(row.path).name
    if not image.is_file() or sha256_file(image) != row.sha256:
        raise _changed(name, f"{FOLDER}/{image.name}: it is not the image that was scored")
    found = load_version(tracking, known).score([image])[0].score
    if not abs(found - row.score) <= TOLERANCE * abs(row.score):
        raise _changed(name, f"{row.path}: it scores {found:.6g}, recorded was {row.score:.6g}")
    return Probed(row.path, row.score, found)


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise DataError(
            f"{name} cannot be proven: {path.name}: {error.strerror}",
            where="the artifacts of its run in MLflow",
            mend="restore them from a backup, or choose another version",
        ) from None


def _changed(name: str, what: str) -> NegativeFinding:
    return NegativeFinding(
        f"{name} is not what it was: {what}",
        where="MLflow",
        mend=f"`patchae audit {name}` shows everything; nothing was moved, choose another version",
    )
