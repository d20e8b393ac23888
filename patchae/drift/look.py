"""One look at one champion: recent images beside what it was calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from patchae.config import DriftPolicy
from patchae.dataset.layout import IMAGE_SUFFIXES
from patchae.drift import compare, store
from patchae.drift.finding import Drift, Reading
from patchae.drift.numbers import numbers_of
from patchae.drift.reference import Reference, reference_of
from patchae.errors import DataError, UsageError
from patchae.files import Progress, silent
from patchae.predictions.reading import frame
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_version
from patchae.registry.standing import champion_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from patchae.model.detector import PatchAE
    from patchae.project import Project
    from patchae.registry.tracking import Tracking

SHOWN = 8


@dataclass(frozen=True)
class Watch:
    """How a class is looked at."""

    policy: DriftPolicy
    classes: int
    """Of its line, which share the false alarms that the line may have."""

    @property
    def level(self) -> float:
        """The chance of a false alarm that one look may have."""
        return compare.level(self.policy.false_alarms_per_year, self.classes)


def look(
    project: Project,
    tracking: Tracking,
    model: str,
    watch: Watch,
    folder: Path | None = None,
    *,
    progress: Progress = silent,
) -> Drift:
    """Look at the champion of a model, and keep what was found.

    Args:
        project: whose model it is.
        tracking: its MLflow.
        model: registered name.
        watch: how it is looked at.
        folder: recent images; by default those that the scoring service kept.
        progress: called while images are read.

    Raises:
        UsageError: the model has no champion.
        DataError: there are too few recent images, or too few of the champion's own.
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    current = champion_of(Ledger.of(project).entries(model)).current
    if current is None:
        raise UsageError(
            f"{model} has no champion", mend="`patchae status` lists the models that have one"
        )
    files = _recent(project, model, watch.policy, folder)
    version = tracking.version(model, current)
    detector = load_version(tracking, version)
    reference = reference_of(project, tracking, version, detector, progress)
    numbers, whole = numbers_of(detector, files, progress)
    files = [files[index] for index in whole]
    if len(files) < watch.policy.least_images:
        raise _too_few(len(files), watch.policy, model, folder)
    recent = reference.yardstick.measure(numbers)
    times = [datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files]
    readings = compare.compare(
        reference.values,
        recent,
        alarms=_alarms(project, (model, current), detector, recent["score"], min(times)),
        level=watch.level,
        smallest_effect=watch.policy.smallest_effect,
    )
    before = store.latest(project, model)
    again = before.readings if before is not None and before.version == current else None
    drift = Drift(
        model=model,
        version=current,
        checked=datetime.now(UTC).isoformat(timespec="milliseconds"),
        since=min(times).isoformat(),
        until=max(times).isoformat(),
        images=len(files),
        readings=readings,
        worst=(),
        confirmed=compare.confirmed(readings, again, watch.level),
    )
    worst = [files[index] for index in _worst(reference, recent, readings)]
    ordinary = [project.data / path for path in reference.paths[:SHOWN]]
    return store.save(project, drift, worst, [path for path in ordinary if path.is_file()])


def _recent(project: Project, model: str, policy: DriftPolicy, folder: Path | None) -> list[Path]:
    """The newest images, oldest first, each content once."""
    root = folder if folder is not None else project.recent / model
    if folder is not None and not folder.is_dir():
        raise DataError("there is no such folder", where=str(folder), mend="name one of images")
    found = [
        path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    ]
    if len(found) < policy.least_images:
        raise _too_few(len(found), policy, model, folder)
    found.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
    return found[-policy.images :]


def _too_few(count: int, policy: DriftPolicy, model: str, folder: Path | None) -> DataError:
    return DataError(
        f"{count} recent images, {policy.least_images} are needed to look for drift",
        where=str(folder or f"images that the scoring service kept of {model}"),
        mend="name a folder: --images FOLDER; or have the service keep some: serve-model --keep 10",
    )


def _alarms(
    project: Project,
    named: tuple[str, str],
    detector: PatchAE,
    scores: NDArray[np.float64],
    since: datetime,
) -> tuple[float, int, int]:
    """Highest rate that the calibration allows for, alarms and decisions since a moment.

    Decisions are those in the log; where there are none the images themselves are judged.
    """
    allowed = float(detector.facts["false_alarm_interval"][1])
    logged = frame(project, model=named[0], version=named[1], since=since)
    if len(logged) >= len(scores):
        return allowed, int(logged.anomalous.sum()), len(logged)
    return allowed, int((scores > detector.threshold).sum()), len(scores)


def _worst(
    reference: Reference,
    recent: dict[str, NDArray[np.float64]],
    readings: Sequence[Reading],
) -> list[int]:
    """The images that differ most in what drifted; in everything where nothing did."""
    drifted = {one.name for one in readings if one.drifted} & set(recent) or set(recent)
    apart = np.zeros(len(recent["score"]))
    for name in drifted:
        middle = float(np.median(reference.values[name]))
        spread = 1.4826 * float(np.median(np.abs(reference.values[name] - middle)))
        apart += np.abs(recent[name] - middle) / max(spread, abs(middle) * 1e-3, 1e-6)
    return [int(index) for index in np.argsort(-apart)[:SHOWN]]
