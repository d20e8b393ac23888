"""Images whose label a person confirmed, back into the data set.

A defective one becomes a test image: what a defect looks like is never learned from. Of good ones
a quarter become test images, the rest training images; which, an image's own digest decides, so
that the same image can never be in both, whoever brings it in and how often.

Who said what of which image stands in `feedback.jsonl` beside `lines.yaml`, for version control.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.dataset.arrivals import note
from patchae.dataset.importing import refusal, staging_folder
from patchae.dataset.layout import ImageFile, images
from patchae.dataset.misfits import is_like_good, masks_among
from patchae.dataset.picture import Picture
from patchae.dataset.readers import changing
from patchae.dataset.reading import pictures_of, read_pictures
from patchae.dataset.splitting import split_of
from patchae.dataset.unfinished import require_finished
from patchae.dataset.validation.newcomers import objections
from patchae.errors import DataError
from patchae.files import Progress, sha256_file, silent
from patchae.images import IMAGE_SUFFIXES, SUFFIXES, left_out
from patchae.project import Project
from patchae.types import Sha256

if TYPE_CHECKING:
    from patchae.config import Validation

LOG = "feedback.jsonl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Labelled:
    """What came of it."""

    new: tuple[str, ...]
    """Paths of new images, relative to data/."""
    known: tuple[str, ...]
    """Images that the class has already, as they were given; or has had under this label: one that
    was edited in its place keeps its name, and the original does not come back over it."""


def bring_back(
    project: Project,
    class_name: str,
    files: Sequence[Path],
    label: str,
    *,
    actor: str,
    rules: Validation | None = None,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Labelled:
    """Copy images into the class under their label; all of them, or none.

    After a `kill -9` the same call ends well: who said it is noted before the first image arrives.

    Args:
        project: whose class it is.
        class_name: a class in data/.
        files: image files; they are only read.
        label: `good`, or the name of a defect.
        actor: who confirmed it.
        rules: what images of the class must be; None: the defaults.
        dry_run: check everything, and change nothing.
        progress: called while images are read.

    Raises:
        DataError: a file is no image, or one of a type that data/ does not hold or that the
            validation of the class would refuse, the label is no name or one of good parts, the
            class has an image of the same content under another label, or a pull was cut off;
            nothing was copied.
        StoreBusy: somebody reads the images of the class, or works on `data/` for too long.
    """
    if not _NAME.fullmatch(label):
        raise DataError(
            f"'{label}' cannot be the name of a defect",
            mend="use letters, digits, '_' and '-', at most 64; or 'good'",
        )
    if is_like_good(label):
        raise DataError(
            f"'{label}' is what good parts are called, and would become a kind of defect",
            mend="use 'good'; for a defect, another name",
        )

    from patchae.config import Validation

    rules = rules or Validation()
    with changing(project, () if dry_run else (class_name,)):
        require_finished(project)
        present = images(project.data, class_name)  # DataError: no such class
        looked = pictures_of(project, present, rules.max_pixels, progress)
        known = {picture.sha256: image for image, picture in zip(present, looked, strict=True)}
        absent = [
            f"{path}: {'a folder; name the images in it' if path.is_dir() else 'no such file'}"
            for path in files
            if not path.is_file()
        ]
        if absent:
            raise refusal(files[0].parent, absent)
        given = [(str(path), False) for path in files]
        pictures = list(
            read_pictures(
                given, max_pixels=rules.max_pixels, progress=progress, what="reading images"
            )
        )
        problems = [
            f"{path}: {problem}"
            for path, picture in zip(files, pictures, strict=True)
            if (problem := _problem(path, picture))
        ]
        places = {path.absolute().as_posix(): path for path in files}
        problems += [
            f"{places[place]}: a mask by its name" for place in sorted(masks_among(places))
        ]
        if problems:
            raise refusal(files[0].parent, problems)
        new: dict[str, tuple[Path, Sha256]] = {}
        coming: dict[str, tuple[ImageFile, Picture]] = {}
        already = []
        for path, picture in zip(files, pictures, strict=True):
            if held := known.get(picture.sha256):
                if held.defect != label:
                    raise DataError(
                        f"the class has this image as '{held.defect}' already",
                        where=f"{path}, {held.path}",
                        mend="decide which is right; to change it, move the file in data/",
                    )
                already.append(str(path))
                continue
            split = split_of(picture.sha256, label)
            name = f"{picture.sha256[:16]}{_suffix(path, picture)}"
            target = f"{class_name}/{split}/{label}/{name}"
            if (project.data / target).exists():
                already.append(str(path))
                continue
            new[target] = (path, picture.sha256)
            coming[target] = (ImageFile(path.as_posix(), split, label, None), picture)
        refused = objections(
            rules,
            class_name,
            list(zip(present, looked, strict=True)),
            list(coming.values()),
        )
        if refused:
            raise refusal(files[0].parent, refused)
        if not dry_run:
            rows = _rows(class_name, label, actor, new)
            _bring_in(project, new, rows)
            # So that a capture does not bring a defective one, removed since, among the good ones.
            note(project, class_name, {picture.sha256 for picture in pictures})
    return Labelled(tuple(sorted(new)), tuple(already))


def _suffix(path: Path, picture: Picture) -> str:
    """Return the suffix of the name if images have it, else that of the type."""
    own = path.suffix.lower()
    return own if own in IMAGE_SUFFIXES else SUFFIXES[picture.kind]


def _problem(path: Path, picture: Picture) -> str | None:
    reason = left_out(path.name)
    if picture.problem and reason and reason.kind == "unreadable":
        return f"images of type {reason.type} are not read; {reason.mend}"
    return picture.problem


def _bring_in(
    project: Project, new: dict[str, tuple[Path, Sha256]], rows: Sequence[dict[str, str]]
) -> None:
    """Copies first, then who said what, then each copy into its place in one move."""
    staging = staging_folder(project)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        for target, (source, sha256) in new.items():
            draft = staging / Path(target).name
            shutil.copyfile(source, draft)
            if sha256_file(draft) != sha256:
                raise DataError(
                    "an image changed while it was being copied",
                    where=str(source),
                    mend="let whatever changes it finish, then run the command again",
                )
        _record(project.root / LOG, rows)
        for target in new:
            place = project.data / target
            place.parent.mkdir(parents=True, exist_ok=True)
            (staging / place.name).replace(place)
    except OSError as error:
        raise DataError(
            f"the images cannot be copied: {error}",
            where=str(project.data),
            mend="free space or correct permissions, then run the command again",
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _rows(
    class_name: str, label: str, actor: str, new: dict[str, tuple[Path, Sha256]]
) -> list[dict[str, str]]:
    """Who says what of which image, one row for each."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [
        {"time": now, "actor": actor, "class": class_name, "label": label, "path": target,
         "sha256": sha256}
        for target, (_, sha256) in sorted(new.items())
    ]  # fmt: skip


def _record(log: Path, rows: Sequence[dict[str, str]]) -> None:
    """Append the rows that are not there yet, in one piece; a line torn by a crash is none."""
    before = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    said = {_statement(row) for line in before.splitlines() if (row := _parsed(line))}
    text = "".join(json.dumps(row) + "\n" for row in rows if _statement(row) not in said)
    with log.open("a", encoding="utf-8") as file:
        file.write(("\n" if before and not before.endswith("\n") else "") + text)
        file.flush()
        os.fsync(file.fileno())


def _statement(row: dict[str, str]) -> tuple[str, ...]:
    """What a row says, whenever it was said."""
    return tuple(str(row.get(key)) for key in ("actor", "class", "label", "path", "sha256"))


def _parsed(line: str) -> dict[str, str] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
