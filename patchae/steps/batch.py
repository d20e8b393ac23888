"""A folder or a bucket through a model: resolved, scored, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.errors import DataError, NegativeFinding
from patchae.files import Progress, silent
from patchae.images import summary
from patchae.lineage.naming import refuse_early, resolve
from patchae.predictions.log import PredictionLog
from patchae.predictions.record import as_text
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_in_use
from patchae.registry.tracking import Tracking
from patchae.report.worst_page import MOST, Batch, Worst, picture, write_worst_page
from patchae.steps.scoring import Job, images_of, require_free, score_source
from patchae.steps.sources import fetched_one, not_scored

if TYPE_CHECKING:
    import pandas as pd

    from patchae.model.detector import PatchAE


@dataclass(frozen=True)
class Scored:
    """What came of a batch."""

    model: str
    version: str
    threshold: float
    images: int
    alarms: int
    unreadable: Sequence[tuple[str, str]]
    """Names, and why."""
    worst: Sequence[Worst]
    doubtful: Sequence[tuple[str, str]] = ()
    """Names of images that were scored, and what makes their scores doubtful."""
    not_scored: Sequence[str] = ()
    """What was left out that may be an image, as lines of text."""
    no_images: Sequence[str] = ()
    """Other files, as lines of text."""

    def raise_if_unreadable(self) -> None:
        """Raises:
        NegativeFinding: some images could not be read; all others were scored.
        """
        if self.unreadable:
            name, why = self.unreadable[0]
            raise NegativeFinding(
                f"{len(self.unreadable):,} of {self.images:,} images cannot be read: {why}",
                where=name,
                mend="replace them and run the same command again; worst.html lists them",
            )
        if self.not_scored:
            raise NegativeFinding(
                f"not everything was scored: {self.not_scored[0]}",
                mend="see to what is left out, then run the same command again",
            )


def score_batch(
    project: Project, model: str, source: str, out: Path, progress: Progress = silent
) -> Scored:
    """Score a source by a version, and write `scores.parquet` and `worst.html` into a folder.

    Args:
        project: whose model it is.
        model: `MODEL` (its champion), `MODEL/VERSION` or `MODEL@ALIAS`.
        source: a folder, or `s3://bucket/prefix`.
        out: folder of the results; a second call goes on where the first one stopped.
        progress: called after every chunk.

    Raises:
        UsageError: there is no such model, or `out` holds something else.
        DataError: there is no such source, or it has no images.
        StoreUnreachable: MLflow or the bucket does not answer.
    """
    refuse_early(project, model)
    require_free(out, source)
    images_of(source)
    tracking = Tracking.open(project)
    name, version, _ = resolve(project, tracking, model)
    detector = load_in_use(tracking, Ledger.of(project), tracking.version(name, version))
    job = Job(name, version, source, detector.threshold)
    with closing(PredictionLog.open(project)) as log:
        rows = score_source(detector, job, out, log, progress=progress)
    others = not_scored(source)
    missed = [item for item in others if item.matters]
    bad, odd = rows[rows.error.notna()], rows[rows.warnings.notna()]
    found = Scored(
        model=name,
        version=version,
        threshold=detector.threshold,
        images=len(rows),
        alarms=int(rows.anomalous.fillna(value=False).sum()),
        unreadable=tuple(zip(bad.name, bad.error, strict=True)),
        worst=tuple(_worst(detector, source, rows[rows.score.notna()].head(MOST))),
        doubtful=tuple(zip(odd.name, odd.warnings, strict=True)),
        not_scored=tuple(summary(missed)),
        no_images=tuple(summary(item for item in others if item not in missed)),
    )
    batch = Batch(
        name,
        version,
        as_text(source),
        detector.threshold,
        found.images,
        found.alarms,
        found.unreadable,
    )
    write_worst_page(out / "worst.html", batch, found.worst)
    return found


def _worst(detector: PatchAE, source: str, rows: pd.DataFrame) -> list[Worst]:
    found = []
    for row in rows.to_dict("records"):
        name = str(row["name"])
        try:
            with fetched_one(source, name) as path:
                shown = picture(detector, path)
            found.append(Worst(name, float(row["score"]), bool(row["anomalous"]), shown))
        except (DataError, OSError):  # it was moved away since it was scored
            continue
    return found
