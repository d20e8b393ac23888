"""New good images from a drop folder into `train/good` of a class.

Files are called by their content, so that no two can clash and none comes in twice, whatever a
camera called them. Nothing is moved or removed in the drop folder.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.dataset.arrivals import arrived, note
from patchae.dataset.importing import refusal, staging_folder
from patchae.dataset.incoming import holds_images
from patchae.dataset.layout import GOOD, ImageFile, images
from patchae.dataset.misfits import masks_among
from patchae.dataset.picture import Picture
from patchae.dataset.readers import changing
from patchae.dataset.reading import pictures_of, read_pictures
from patchae.dataset.splitting import split_of
from patchae.dataset.unfinished import require_finished
from patchae.dataset.validation.newcomers import objections
from patchae.errors import DataError
from patchae.files import Progress, sha256_file, silent
from patchae.images import LeftOut, find_images
from patchae.project import Project
from patchae.types import Sha256

if TYPE_CHECKING:
    from patchae.config import Validation


@dataclass(frozen=True)
class Captured:
    """What a capture found in the drop folder."""

    new: tuple[str, ...]
    """Paths of new images, relative to data/."""
    known: int
    """Images that the class has already, in train or test, or has had: one that was edited in its
    place keeps its name, and the original that lies in the drop folder does not come back."""
    copies: int
    """Images that are there more than once in the drop folder."""
    removed: int
    """Images that came in from a drop folder before, and were removed from the class since."""
    others: tuple[LeftOut, ...]
    """Everything in the drop folder that is not read, by its name there."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Images, or folders that may hold some, that are not read."""
        return tuple(item for item in self.others if item.matters)

    @property
    def ignored(self) -> int:
        """How many files are no images."""
        return len(self.others) - len(self.left_out)


def capture(
    project: Project,
    class_name: str,
    folder: Path,
    *,
    rules: Validation | None = None,
    again: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Captured:
    """Copy the images of a folder, and of those in it, into `train/good` of a class.

    Folders that are links are looked into.

    Into a class that has no images yet, or no good ones to test with, a share of them goes into
    `test/good`, by their content.

    All are read first; one that is damaged, or that the validation of the class would refuse for
    what it is, stops all of them. After a `kill -9` the same call goes on: what has arrived is
    known by its content.

    Args:
        project: whose class it is.
        class_name: the class.
        folder: the drop folder; it is only read.
        rules: what its images must be; None: the defaults.
        again: bring in what was removed from the class, too.
        dry_run: check everything, and change nothing.
        progress: called while images are read.

    Raises:
        DataError: there is no such folder, a folder cannot be read, an image is refused,
            or a pull was cut off; nothing was copied.
        StoreBusy: somebody reads the images of the class, or works on `data/` for too long.
    """
    if not folder.is_dir():
        raise DataError(
            "there is no such folder", where=str(folder), mend="name the folder of new images"
        )

    inside = find_images(folder, follow_links=True)
    found = inside.paths
    from patchae.config import Validation

    rules = rules or Validation()
    with changing(project, () if dry_run else (class_name,)):
        require_finished(project)
        there = (project.data / class_name).is_dir() and holds_images(project.data / class_name)
        present = images(project.data, class_name) if there else []
        parts = {(image.split, image.defect) for image in present}
        # Test images go first: after a kill the rest is what is for training.
        both = {("train", GOOD), ("test", GOOD)} <= parts
        looked = pictures_of(project, present, rules.max_pixels, progress)
        have = {picture.sha256 for picture in looked}
        before = arrived(project, class_name) if there and not again else set()
        files = [(str(path), False) for path in found]
        pictures = list(
            read_pictures(
                files, max_pixels=rules.max_pixels, progress=progress, what="reading new images"
            )
        )
        problems = [
            f"{_below(path, folder)}: {picture.problem}"
            for path, picture in zip(found, pictures, strict=True)
            if picture.problem
        ]
        names = [path.relative_to(folder.parent).as_posix() for path in found]
        problems += [f"{name}: a mask by its name" for name in sorted(masks_among(names))]
        new: dict[str, tuple[Path, Picture]] = {}
        taken: set[Sha256] = set()
        seen: set[Sha256] = set()
        known = copies = removed = 0
        for path, picture in zip(found, pictures, strict=True):
            if picture.problem:
                continue
            split = "train" if both else split_of(picture.sha256)
            target = f"{class_name}/{split}/{GOOD}/{picture.sha256[:16]}{path.suffix.lower()}"
            if picture.sha256 in have or (project.data / target).exists():
                known += 1
                seen.add(picture.sha256)
            elif picture.sha256 in before:
                removed += 1
            elif picture.sha256 in taken:
                copies += 1
            else:
                new[target] = (path, picture)
                taken.add(picture.sha256)
        problems += objections(
            rules,
            class_name,
            list(zip(present, looked, strict=True)),
            [
                (ImageFile(_below(path, folder), target.split("/")[1], GOOD, None), picture)
                for target, (path, picture) in new.items()
            ],
        )
        if problems:
            raise refusal(folder, problems)
        if not dry_run:
            _copy(project, dict(sorted(new.items())), progress)
            note(project, class_name, seen | taken)
    return Captured(tuple(sorted(new)), known, copies, removed, inside.left_out)


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _copy(project: Project, new: dict[str, tuple[Path, Picture]], progress: Progress) -> None:
    staging = staging_folder(project)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        for folder in {(project.data / target).parent for target in new}:
            folder.mkdir(parents=True, exist_ok=True)
        for done, (target, (source, picture)) in enumerate(new.items(), start=1):
            draft = staging / Path(target).name
            shutil.copyfile(source, draft)
            if sha256_file(draft) != picture.sha256:
                raise DataError(
                    "an image changed while it was being copied",
                    where=str(source),
                    mend="let whatever changes these files finish, then run the command again",
                )
            draft.replace(project.data / target)
            progress("copying", done, len(new))
    except OSError as error:
        raise DataError(
            f"the images cannot be copied: {error}",
            where=str(project.data),
            mend="free space or correct permissions, then run the command again",
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
