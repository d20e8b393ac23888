"""Bringing images into `data/`: whole classes or nothing, and never over what is there.

Everything is checked before anything is written, and every problem is named at once. Then the
images are copied into a hidden folder of `data/`, each copy is hashed, and whole class folders are
renamed into place. After a `kill -9` at any moment the same call ends well: a class that is already
in place with the same content is left as it is, and the hidden folder is started afresh.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from patchae.dataset.choosing import choose
from patchae.dataset.incoming import Incoming, examine, placed
from patchae.dataset.layout import GROUND_TRUTH, files_below
from patchae.dataset.splitting import good_images, lay_out_good
from patchae.dataset.unfinished import require_finished
from patchae.errors import DataError
from patchae.files import Progress, sha256_file, silent
from patchae.images import LeftOut
from patchae.lines_file import most_pixels
from patchae.project import Project

_SHOWN = 10
_MEND = "correct these files, or leave them out, then run the command again"
_MEND_SOURCE = "correct the source, or name the classes to import, then run the command again"


@dataclass(frozen=True)
class Imported:
    """What an import brought in. Images and bytes count new classes only."""

    classes: tuple[str, ...]  # new in data/
    unchanged: tuple[str, ...]  # were there already, with the same content
    images: int  # of train and test
    masks: int
    bytes: int  # of images and masks
    left_out: tuple[LeftOut, ...] = ()  # all else that the source holds, litter included
    copies: tuple[tuple[str, ...], ...] = ()  # images of equal content, wherever they lie

    @property
    def complete(self) -> bool:
        """Whether no image and no folder of images was left out, but those that shall be."""
        return not any(item.matters for item in self.left_out)

    def leaving_out(self, others: Sequence[LeftOut]) -> Imported:
        """The same, with more left out."""
        return replace(self, left_out=(*self.left_out, *others))


def import_folder(
    project: Project,
    source: Path,
    *,
    classes: Sequence[str] | None = None,
    name: str | None = None,
    masks: bool = True,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Imported:
    """Copy classes in MVTec AD layout into `data/`; the source is only read.

    `source` holds one folder per class, or is itself the folder of one class, named like it.
    `classes` picks some of them; the default is all. `name` renames the only one. A class of good
    parts alone, or a folder of images that `name` makes a class, gets a share of them as test
    images, by their content. Without `masks` none of them comes in. With `dry_run` everything is
    checked and nothing is copied.

    Raises:
        DataError: the source is not usable, with all of its problems, or a pull was cut off;
            nothing was imported.
        StoreBusy: another process works on `data/` for too long.
    """
    _refuse_own_data(project, source)
    with project.lock("data"), _links(project) as links:
        require_finished(project)
        chosen = choose(source, classes, name)
        examined = [
            examine(
                class_name,
                lay_out_good(folder, links / class_name, progress)
                if good_images(folder, plain=folder == source)
                else folder,
                progress,
                masks=masks,
                max_pixels=most_pixels(project.lines_file, class_name),
            )
            for class_name, folder in chosen.folders.items()
        ]
        problems = [*chosen.problems, *(problem for _, found in examined for problem in found)]
        new, unchanged = [], []
        for incoming, _ in examined:
            difference = _difference(project.data / incoming.name, incoming)
            if difference is None:
                new.append(incoming)
            elif difference:
                problems.append(f"{incoming.name}: already in data/, and {difference}")
            else:
                unchanged.append(incoming.name)
        if problems:
            raise refusal(source, problems, _MEND_SOURCE)
        if not dry_run:
            _bring_in(project, new, progress)
    brought = [(path, picture) for one in new for path, picture in one.files.items()]
    of_masks = sum(path.startswith(f"{GROUND_TRUTH}/") for path, _ in brought)
    return Imported(
        classes=tuple(one.name for one in new),
        unchanged=tuple(unchanged),
        images=len(brought) - of_masks,
        masks=of_masks,
        bytes=sum(picture.bytes for _, picture in brought),
        left_out=(*chosen.left_out, *(item for one, _ in examined for item in one.left_out)),
        copies=_copies([one for one, _ in examined]),
    )


@contextmanager
def _links(project: Project) -> Iterator[Path]:
    """A folder for the layout of images that have none, for the time of the block."""
    links = project.state / "laid-out"
    shutil.rmtree(links, ignore_errors=True)  # what a killed import has left
    try:
        yield links
    finally:
        shutil.rmtree(links, ignore_errors=True)


def _copies(classes: Sequence[Incoming]) -> tuple[tuple[str, ...], ...]:
    """Images of equal content; masks are often equal and are not meant."""
    found: dict[str, list[str]] = {}
    for one in classes:
        for path, picture in one.files.items():
            if not path.startswith(f"{GROUND_TRUTH}/"):
                found.setdefault(picture.sha256, []).append(f"{one.name}/{path}")
    return tuple(sorted(tuple(sorted(paths)) for paths in found.values() if len(paths) > 1))


def staging_folder(project: Project) -> Path:
    """Where images are copied before they are renamed: hidden, on the file system of `data/`."""
    return project.data / ".import"


def _refuse_own_data(project: Project, source: Path) -> None:
    if not source.is_dir():
        raise DataError(
            "there is no such folder",
            where=str(source),
            mend="name a folder with one folder per class in MVTec AD layout",
        )
    here, data = source.resolve(), project.data.resolve()
    if here.is_relative_to(data) or data.is_relative_to(here):
        raise DataError(
            "the source overlaps with the project's own data/",
            where=str(source),
            mend="name a folder outside of the project",
        )


def _difference(folder: Path, incoming: Incoming) -> str | None:
    """How a class of `data/` differs from the incoming one; None: it is not there, "": in nothing.

    A folder without any file counts as not there.
    """
    there = placed(folder)
    if not there and not any(files_below(folder)):
        return None
    added, missing = set(incoming.files) - set(there), set(there) - set(incoming.files)
    other = [
        path
        for path in set(there) & set(incoming.files)
        if sha256_file(folder / path) != incoming.files[path].sha256
    ]
    if not (added or missing or other):
        return ""
    return (
        f"the source differs (new: {len(added)}, missing: {len(missing)}, changed: {len(other)}); "
        f"import it under another folder name, or remove {folder} first"
    )


def _bring_in(project: Project, classes: Sequence[Incoming], progress: Progress) -> None:
    staging = staging_folder(project)
    if staging.exists():
        shutil.rmtree(staging)
    total, done = sum(len(one.files) for one in classes), 0
    try:
        for one in classes:
            for path, picture in one.files.items():
                copy = staging / one.name / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(one.folder / path, copy)
                if sha256_file(copy) != picture.sha256:
                    raise DataError(
                        "an image changed while it was being imported; nothing was imported",
                        where=str(one.folder / path),
                        mend="let whatever changes these files finish, then run the command again",
                    )
                done += 1
                progress("copying", done, total)
        for one in classes:
            target = project.data / one.name
            if target.exists():  # `_difference` saw that it holds no file
                shutil.rmtree(target)
            (staging / one.name).rename(target)
    except OSError as error:
        raise DataError(
            f"the images cannot be copied: {error}",
            where=str(staging),
            mend="free space or correct permissions, then run the command again",
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def refusal(source: Path, problems: Sequence[str], mend: str = _MEND) -> DataError:
    """Return the one error that names all problems of a source."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"  - {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  - and {len(problems) - _SHOWN} more")
    text = "\n".join([f"nothing was imported: {count}", *lines])
    return DataError(
        text.encode(errors="backslashreplace").decode(),  # a file name need not be UTF-8
        where=str(source),
        mend=mend,
    )
