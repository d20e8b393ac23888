"""What a champion was calibrated on, in numbers: computed once for each version, and kept.

Images of train/good alone, which its record names by their digests; test images have no part in it.
Scores are those of the calibration part, since the model learned from the others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from patchae.drift.numbers import Numbers, numbers_of
from patchae.drift.yardstick import Yardstick, yardstick
from patchae.errors import DataError
from patchae.files import Progress, file_in_one_step, sha256_file, silent
from patchae.lineage.split_file import SPLIT_FILE, Used, read_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from patchae.model.detector import PatchAE
    from patchae.project import Project
    from patchae.registry.tracking import Tracking, Version

MOST, FEWEST = 200, 20
"""Images that a reference is made of."""


@dataclass(frozen=True)
class Reference:
    """What recent images are compared with."""

    yardstick: Yardstick
    values: dict[str, NDArray[np.float64]]
    """Of each statistic those of the images that did not make the yardstick; of `score` those of
    the calibration part."""
    paths: tuple[str, ...]
    """Its images, relative to data/."""


def reference_of(
    project: Project,
    tracking: Tracking,
    version: Version,
    detector: PatchAE,
    progress: Progress = silent,
) -> Reference:
    """The reference of a version, from what is kept or from its images.

    Raises:
        DataError: too few of its images are in data/ as they were, or none that calibrated it.
        StoreUnreachable: MLflow does not answer.
    """
    file = project.drift / version.model / f"reference-{version.version}.npz"
    kept = _kept(file)
    if kept is None:
        used = _present(project, tracking, version)
        numbers, whole, _ = numbers_of(
            detector, [project.data / one.path for one in used], progress
        )
        used = [used[index] for index in whole]
        calibrated = np.array([one.use == "calibration" for one in used])
        kept = numbers, calibrated, tuple(one.path for one in used)
        _keep(file, *kept)
    numbers, calibrated, paths = kept
    made, others = yardstick(numbers)
    values = made.measure(numbers.taken(others))
    values["score"] = numbers.scores[calibrated]
    return Reference(made, values, paths)


def _present(project: Project, tracking: Tracking, version: Version) -> list[Used]:
    """The training images that lie in data/ as they were: at most `MOST`, drawn by digest.

    Some of the calibration part are among them.
    """
    folder = tracking.some_artifacts(version.run_id, [SPLIT_FILE])
    known = sorted(read_split((folder / SPLIT_FILE).read_text()), key=lambda one: one.sha256)
    # As many of the calibration part as there are: scores come from nowhere else.
    known.sort(key=lambda one: one.use != "calibration")
    found: list[Used] = []
    for one in known:
        path = project.data / one.path
        if path.is_file() and sha256_file(path) == one.sha256:
            found.append(one)
        if len(found) == MOST:
            break
    fewest = min(FEWEST, len(known))
    calibrated = any(one.use == "calibration" for one in found)
    if len(found) < fewest or not calibrated:
        line, _, name = version.model.partition(".")
        needed = f"{fewest} are needed" if len(found) < fewest else "and none that calibrated it"
        raise DataError(
            f"{len(found)} of the {len(known)} training images of {version.model}/"
            f"{version.version} are in data/, {needed}",
            where=str(project.data / name),
            mend=f"bring back the images of its data version: patchae pull --class {name} VERSION;"
            f" `patchae card {version.model}/{version.version}` names it (line {line})",
        )
    return sorted(found, key=lambda one: one.sha256)


def _kept(file: Path) -> tuple[Numbers, NDArray[np.bool_], tuple[str, ...]] | None:
    """What `_keep` kept; None: nothing, it is damaged, or it has no score to compare with."""
    try:
        with np.load(file, allow_pickle=False) as held:
            numbers = Numbers(held["looks"], held["small"], held["features"], held["scores"])
            calibrated, paths = held["calibrated"], tuple(held["paths"].tolist())
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        return None
    return (numbers, calibrated, paths) if calibrated.any() else None


def _keep(
    file: Path, numbers: Numbers, calibrated: NDArray[np.bool_], paths: tuple[str, ...]
) -> None:
    with file_in_one_step(file) as draft, draft.open("wb") as stream:
        np.savez(
            stream,
            looks=numbers.looks,
            small=numbers.small,
            features=numbers.features,
            scores=numbers.scores,
            calibrated=calibrated,
            paths=np.array(paths, dtype=np.str_),
        )
