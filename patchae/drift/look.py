"""One look at one champion: recent images beside what it was calibrated on.

An image is looked at once for each champion. So successive looks are of different images, and the
second can confirm what the first one found; and a look is not spoilt by images from before a change
that the one before it has had already. Images that follow each other so closely that they could not
show even the greatest change are left for a later look, which has more of them.

What the scoring service kept is looked at from the moment on at which the champion became it. A
folder that somebody names is looked at as it is, and has a succession of its own.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from patchae.config import DriftPolicy
from patchae.dataset.readers import reading
from patchae.drift import compare, store
from patchae.drift.finding import Drift, Reading
from patchae.drift.numbers import numbers_of
from patchae.drift.reference import Reference, reference_of
from patchae.errors import DataError, UsageError
from patchae.files import Progress, sha256_file, silent
from patchae.images import find_images, summary
from patchae.predictions.reading import frame
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_in_use
from patchae.registry.standing import champion_of, moves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from patchae.project import Project
    from patchae.registry.tracking import Tracking

_log = logging.getLogger("patchae")
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
        DataError: there are too few images that no look at the champion has had, they are too
            alike to show anything, or there are too few of the champion's own.
        StoreUnreachable: MLflow, the ledger or the log of decisions in S3 does not answer.
    """
    ledger = Ledger.of(project)
    entries = ledger.entries(model)
    current = champion_of(entries).current
    if current is None:
        raise UsageError(
            f"{model} has no champion", mend="`patchae status` lists the models that have one"
        )
    began = datetime.fromisoformat(moves(entries)[-1].time)
    looks = store.all_of(project, model)
    before = [
        one
        for one in looks
        if one.version == current
        and one.folder == (folder is not None)
        # Later than now: a clock was ahead, and what came since would be taken for old.
        and began <= datetime.fromisoformat(one.checked) <= datetime.now(UTC)
    ]
    since = None if folder is not None else max([began, *(one.ended for one in before[:1])])
    had = {digest for one in looks if one.version == current for digest in one.seen}
    digests, unread = _recent(folder or project.recent / model, watch.policy, since, had)
    files = list(digests)
    version = tracking.version(model, current)
    detector = load_in_use(tracking, ledger, version)
    with reading(project, [model.partition(".")[2]]):
        reference = reference_of(project, tracking, version, detector, progress)
    numbers, whole, left_out = numbers_of(detector, files, progress)
    for file, why in left_out.items():
        _log.warning("%s: not looked at: %s", file, why)
    files = [files[index] for index in whole]
    if len(files) < watch.policy.least_images:
        raise _too_few(len(files), watch.policy, folder or project.recent / model, folder)
    recent = reference.yardstick.measure(numbers)
    times = [datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files]
    now = datetime.now(UTC)
    seen, today = tuple(digests[file] for file in files), f"{now:%Y-%m-%d}"
    earlier = store.waits_before(project, model, today, seen)
    level = watch.level(earlier + sum(one.checked[:10] == today for one in looks))
    readings = compare.compare(
        reference.values,
        recent,
        alarms=(
            float(detector.facts["false_alarm_interval"][1]),
            _decided(
                project,
                (model, current),
                (since, max(times)),
                recent["score"] > detector.threshold,
                detector.threshold,
            ),
        ),
        level=level,
        smallest_effect=watch.policy.smallest_effect,
    )
    blind = compare.blind(reference.values, recent, level)
    if blind and len(files) < watch.policy.images and not any(one.drifted for one in readings):
        store.note_wait(project, model, today, seen)
        raise DataError(
            f"{len(files)} recent images follow each other too closely to show a change of"
            f" {', '.join(blind)}",
            where=str(folder or project.recent / model),
            mend=f"wait for more: with {watch.policy.images} they are looked at all the same",
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
        seen=seen,
        folder=folder is not None,
        white=detector.white,
        left_out=unread + len(left_out),
    )
    worst = [files[index] for index in _worst(reference, recent, readings)]
    ordinary = [project.data / path for path in reference.paths[:SHOWN]]
    return store.save(project, drift, worst, [path for path in ordinary if path.is_file()])


def _recent(
    root: Path, policy: DriftPolicy, since: datetime | None, had: Collection[str]
) -> tuple[dict[Path, str], int]:
    """The newest images that no look has had, oldest first, each content once; with digests.

    And how many images, or folders of them, are not read; see `LeftOut.matters`.
    What the last look passed over, for want of room, is not recent any more: `since`.
    """
    if since is None and not root.is_dir():
        raise DataError("there is no such folder", where=str(root), mend="name one of images")
    after = since.timestamp() if since else -math.inf
    images = find_images(root)
    unread = [other for other in images.left_out if other.matters]
    for line in summary(unread):
        _log.warning("%s", line)
    found = [
        (changed, path.name, path)
        for path in images.paths
        if (changed := path.stat().st_mtime) > after
    ]
    new: dict[str, Path] = {}
    for _, _, path in sorted(found, reverse=True):
        digest = path.stem if _DIGEST.fullmatch(path.stem) else sha256_file(path)
        if digest not in had:
            new.setdefault(digest, path)
        if len(new) == policy.images:
            break
    if len(new) < policy.least_images:
        raise _too_few(len(new), policy, root, root if since is None else None)
    return {path: digest for digest, path in reversed(new.items())}, len(unread)


def _too_few(count: int, policy: DriftPolicy, root: Path, named: Path | None) -> DataError:
    return DataError(
        f"{count} recent images that no look has had, {policy.least_images} are needed",
        where=str(root),
        mend="put more images there, which no look at this champion has had"
        if named
        else "wait for more, or name a folder: --images FOLDER; the service keeps one image of"
        " ten with serve-model --keep 10",
    )


def _decided(
    project: Project,
    named: tuple[str, str],
    times: tuple[datetime | None, datetime],
    judged: NDArray[np.bool_],
    threshold: float,
) -> NDArray[np.bool_]:
    """Alarms or not, oldest first: what the service said in the time of the look, by the log.

    Of a folder, and where there is less in the log, how the images themselves are judged. What a
    batch said is left out: somebody chose its images, such as a bin of rejects.
    """
    since, until = times
    if since is not None:
        model, version = named
        logged = frame(project, model=model, version=version, since=since, until=until)
        # At another threshold than now: before somebody moved it.
        logged = logged[(logged.origin == "service") & (logged.threshold == threshold)]
        if len(logged) >= len(judged):
            return logged.sort_values("time").anomalous.to_numpy(np.bool_)
    return judged


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
