"""What one model version or one data version used, read from where it is kept.

A model version is believed link by link: the ledger's row names the digest of `lineage.json`, which
names those of `manifest.csv`, `split.csv` and `scores.csv`. A data version is called by the md5 of
its listing. What does not fit is `Unread`, with the reason, and never half read.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

from patchae.dataset.layout import is_image_path
from patchae.errors import DataError
from patchae.evidence.scores import SCORES_FILE, read_scores
from patchae.files import sha256_bytes
from patchae.lineage.record import LineageRecord, digest, load, parse
from patchae.lineage.split_file import SPLIT_FILE, read_split
from patchae.lineage.trace.kept import Place
from patchae.project import Project
from patchae.registry.chain import Entry
from patchae.registry.registration import LINEAGE_FILE
from patchae.registry.tracking import Tracking
from patchae.types import DataVersion

MANIFEST_FILE = "manifest.csv"
FILES = (LINEAGE_FILE, MANIFEST_FILE, SPLIT_FILE, SCORES_FILE)


class Unread(Exception):
    """Raised for a version whose images cannot be known; the message says why."""


Artifacts = Callable[[str], Path]
"""A local folder with the `FILES` of a run that are there, by the run's id."""


def from_mlflow(project: Project) -> Artifacts:
    """The artifacts as MLflow has them, which is opened with the first question."""
    opened: list[Tracking] = []

    def artifacts(run_id: str) -> Path:
        if not opened:
            opened.append(Tracking.open(project))
        return opened[0].some_artifacts(run_id, FILES)

    return artifacts


def uses_of(artifacts: Artifacts, row: Entry) -> tuple[DataVersion, list[tuple[Place, str]]]:
    """The data version of a model version, and every image that it used with what for.

    Args:
        artifacts: where they are.
        row: the row of the ledger that registered the version.

    Raises:
        Unread: its artifacts are gone, or are not those that the ledger vouches for.
        StoreUnreachable: MLflow does not answer.
    """
    folder = artifacts(row.body["run_id"])
    try:
        record = _record(folder, row)
        manifest = _artifact(folder, MANIFEST_FILE, record.data.manifest_sha256)
        split = read_split(_artifact(folder, SPLIT_FILE, record.training.split_sha256))
        scores = read_scores(_artifact(folder, SCORES_FILE, record.evaluation.scores_sha256))
        used = [(one.path, one.sha256, str(one.use)) for one in split]
        used += [(one.path, one.sha256, "judged") for one in scores]
        places = {(place.path, place.sha256): place for place in _places(manifest)}
        return DataVersion(record.data.version), [
            (places[path, sha256], use) for path, sha256, use in used
        ]
    except OSError as error:
        raise Unread(f"{Path(error.filename).name}: {error.strerror}") from None
    except KeyError as error:
        raise Unread(f"{MANIFEST_FILE} does not have {error.args[0][0]}") from None
    except ValueError as error:
        raise Unread(str(error).partition("\n")[0]) from None


def images_in(listing: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Path and md5 of the images in the listing of a data version."""
    return (
        (path, md5) for path, md5 in listing.items() if is_image_path(path, path.partition("/")[0])
    )


def _record(folder: Path, row: Entry) -> LineageRecord:
    text = (folder / LINEAGE_FILE).read_text(encoding="utf-8")
    if digest(load(text)) != row.body["lineage_sha256"]:
        raise Unread(f"{LINEAGE_FILE} is not the one in row {row.seq} of the ledger")
    record = parse(text)
    if record.model != row.model:
        raise Unread(f"{LINEAGE_FILE} is on {record.model}")
    return record


def _artifact(folder: Path, name: str, told: str) -> str:
    content = (folder / name).read_bytes()
    if sha256_bytes(content) != told:
        raise Unread(f"{name} is not the one in {LINEAGE_FILE}")
    return content.decode()


def _places(manifest: str) -> Iterator[Place]:
    rows = csv.DictReader(StringIO(manifest, newline=""), strict=True)
    try:
        for row in rows:
            yield Place(row["path"], row["md5"], row["sha256"])
    except (KeyError, csv.Error):
        raise DataError(f"{MANIFEST_FILE} is no manifest") from None
