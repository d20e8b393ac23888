"""One look at one champion: recent images beside what it was calibrated on.

An image is looked at once for each champion. So successive looks are of different images, and the
second can confirm what the first one found; and a look is not spoilt by images from before a change
that the one before it has had already.
"""

from __future__ import annotations

import re
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
from patchae.files import Progress, sha256_file, silent
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
_DIGEST = re.compile(r"[0-9a-f]{64}")
"""How the scoring service names what it keeps."""


@dataclass(frozen=True)
class Watch:
    """How a class is looked at."""

    policy: DriftPolicy
    classes: int
    """Of its line, which share the false alarms that the line may have."""

    def level(self, earlier: int) -> float:
        """The chance of a false alarm that a look may have, after earlier ones of its day."""
        return compare.level(self.policy.false_alarms_per_year, self.classes, earlier)


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
        DataError: there are too few images that no look at the champion has had, or too few of the
            champion's own.
        StoreUnreachable: MLflow or the ledger does not answer.
    """
    current = champion_of(Ledger.of(project).entries(model)).current
    if current is None:
        raise UsageError(
            f"{model} has no champion", mend="`patchae status` lists the models that have one"
        )
    looks = store.all_of(project, model)
    before = [one for one in looks if one.version == current]
    digests = _recent(project, model, watch.policy, folder, before)
    files = list(digests)
    version = tracking.version(model, current)
    detector = load_version(tracking, version)
    reference = reference_of(project, tracking, version, detector, progress)
    numbers, whole = numbers_of(detector, files, progress)
    files = [files[index] for index in whole]
    if len(files) < watch.policy.least_images:
        raise _too_few(len(files), watch.policy, model, folder)
    recent = reference.yardstick.measure(numbers)
    times = [datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files]
    now = datetime.now(UTC)
    level = watch.level(sum(one.checked[:10] == f"{now:%Y-%m-%d}" for one in looks))
    readings = compare.compare(
        reference.values,
        recent,
        alarms=_alarms(project, (model, current), detector, recent["score"], min(times)),
        level=level,
        smallest_effect=watch.policy.smallest_effect,
    )
    again = before[0].readings if before else None
    drift = Drift(
        model=model,
        version=current,
        checked=now.isoformat(timespec="milliseconds"),
        since=min(times).isoformat(),
        until=max(times).isoformat(),
        images=len(files),
        readings=readings,
        worst=(),
        confirmed=compare.confirmed(readings, again, level),
        seen=tuple(digests[file] for file in files),
    )
    worst = [files[index] for index in _worst(reference, recent, readings)]
    ordinary = [project.data / path for path in reference.paths[:SHOWN]]
    return store.save(project, drift, worst, [path for path in ordinary if path.is_file()])


def _recent(
    project: Project,
    model: str,
    policy: DriftPolicy,
    folder: Path | None,
    before: Sequence[Drift],
) -> dict[Path, str]:
    """The newest images that no look has had, oldest first, each content once; with digests.

    Of those that the scoring service kept, none from before the newest image of the last look:
    what was passed over then, for want of room, is not recent any more.
    """
    root = folder if folder is not None else project.recent / model
    if folder is not None and not folder.is_dir():
        raise DataError("there is no such folder", where=str(folder), mend="name one of images")
    found = [
        (path.stat().st_mtime, path.name, path)
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    ]
    if folder is None and before:
        since = datetime.fromisoformat(before[0].until).timestamp()
        found = [one for one in found if one[0] > since]
    had = {digest for one in before for digest in one.seen}
    new: dict[str, Path] = {}
    for _, _, path in sorted(found, reverse=True):
        digest = path.stem if _DIGEST.fullmatch(path.stem) else sha256_file(path)
        if digest not in had:
            new.setdefault(digest, path)
        if len(new) == policy.images:
            break
    if len(new) < policy.least_images:
        raise _too_few(len(new), policy, model, folder)
    return {path: digest for digest, path in reversed(new.items())}


def _too_few(count: int, policy: DriftPolicy, model: str, folder: Path | None) -> DataError:
    return DataError(
        f"{count} recent images that no look has had, {policy.least_images} are needed",
        where=str(folder or f"images that the scoring service kept of {model}"),
        mend="wait for more, or name a folder: --images FOLDER; the service keeps one image of"
        " ten with serve-model --keep 10",
    )


def _alarms(
    project: Project,
    named: tuple[str, str],
    detector: PatchAE,
    scores: NDArray[np.float64],
    since: datetime,
) -> tuple[float, NDArray[np.bool_]]:
    """Highest rate that the calibration allows for, and the decisions since a moment.

    Decisions are those in the log; where there are none the images themselves are judged.
    """
    allowed = float(detector.facts["false_alarm_interval"][1])
    logged = frame(project, model=named[0], version=named[1], since=since)
    if len(logged) >= len(scores):
        return allowed, logged.sort_values("time").anomalous.to_numpy(np.bool_)
    return allowed, scores > detector.threshold


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
