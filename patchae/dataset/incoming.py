"""A class on its way into `data/`: what its folder holds, and everything that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from patchae.config import Name
from patchae.dataset.layout import GOOD, GROUND_TRUTH, folders, image_files, images
from patchae.dataset.misfits import is_like_good, masks_among
from patchae.dataset.picture import Picture
from patchae.dataset.reading import read_pictures
from patchae.errors import DataError
from patchae.files import Progress
from patchae.images import IMAGE_SUFFIXES, walked

_SPLITS = ("train", "test", GROUND_TRUTH)


@dataclass(frozen=True)
class Incoming:
    """One class folder of a source, wholly read."""

    name: str
    folder: Path
    files: Mapping[str, Picture]  # path relative to the class folder, POSIX
    ignored: int


def examine(name: str, folder: Path, progress: Progress) -> tuple[Incoming, list[str]]:
    """Read a class folder to the last byte; every problem as one line of text."""
    kept = placed(folder)
    everything = set(walk(folder))
    problems = list(_layout_problems(name, kept, everything))
    pictures: dict[str, Picture] = {}
    files = [(str(folder / path), path.startswith(f"{GROUND_TRUTH}/")) for path in kept]
    read = read_pictures(files, progress=progress, what=f"checking {name}")
    for path, picture in zip(kept, read, strict=True):
        pictures[path] = picture
        if picture.problem:
            problems.append(f"{name}/{path}: {picture.problem}")
    if kept:
        problems += _mask_problems(name, folder, pictures)
    return Incoming(name, folder, pictures, len(everything - set(kept))), problems


def name_problem(name: str) -> str | None:
    """Why no class can be called so; None if one can."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        expected = error.errors()[0]["msg"].removeprefix("Value error, ")
        return f"{name!r} cannot be the name of a class: {expected}"
    return None


def _layout_problems(name: str, kept: Sequence[str], everything: set[str]) -> Iterator[str]:
    if problem := name_problem(name):
        yield problem
    for needed in (f"train/{GOOD}", f"test/{GOOD}"):
        if not any(path.startswith(f"{needed}/") for path in kept):
            yield f"{name}: no images in {needed}"
    kinds = {path.split("/")[1] for path in kept if path.startswith("train/")}
    for kind in sorted(kinds - {GOOD}):
        yield f"{name}/train/{kind}: training learns from good images only"
    images_ = [path for path in kept if not path.startswith(f"{GROUND_TRUTH}/")]
    for path in sorted(masks_among(images_)):
        yield (
            f"{name}/{path}: a mask by its name, among the images; move it to"
            f" {GROUND_TRUTH}/KIND/STEM_mask.png, or rename it if it is a photo"
        )
    for kind in sorted({path.split("/")[1] for path in images_ if path.startswith("test/")}):
        if is_like_good(kind):
            yield f"{name}/test/{kind}: called like good parts; they belong into test/{GOOD}"
    for path in sorted(everything - set(kept)):
        top, _, rest = path.partition("/")
        if top in _SPLITS and rest and _looks_like_image(path):
            yield f"{name}/{path}: an image outside of the layout {top}/KIND/IMAGE"


def _mask_problems(name: str, folder: Path, pictures: Mapping[str, Picture]) -> Iterator[str]:
    try:
        found = images(folder.parent, folder.name)
    except DataError as error:  # a name that is not UTF-8, or masks alone
        yield error.what
        return
    start = len(folder.name) + 1
    for mask, times in Counter(image.mask for image in found if image.mask).items():
        if times > 1:
            yield f"{mask}: the mask of {times} images; rename them, so that each has its own"
    owners = {image.mask[start:]: image.path[start:] for image in found if image.mask}
    for mask, picture in pictures.items():
        if not mask.startswith(f"{GROUND_TRUTH}/"):
            continue
        image = pictures.get(owners.get(mask, ""))
        if image is None:
            yield f"{name}/{mask}: a mask without an image in test/"
        elif not image.problem and not picture.problem:
            size, expected = (picture.width, picture.height), (image.width, image.height)
            if size != expected:
                yield (
                    f"{name}/{mask}: {size[0]}×{size[1]} px, "
                    f"but its image has {expected[0]}×{expected[1]} px"
                )


def placed(folder: Path) -> list[str]:
    """The images and masks of a class folder, POSIX and relative to it, sorted."""
    return sorted(
        file.relative_to(folder).as_posix()
        for split in _SPLITS
        for kind in folders(folder / split)
        for file in image_files(kind)
    )


def walk(folder: Path) -> Iterator[str]:
    """Every file under a folder, POSIX and relative to it."""
    for parent, _, files in walked(folder):
        for file in files:
            yield (Path(parent) / file).relative_to(folder).as_posix()


def holds_images(folder: Path) -> bool:
    """Whether there is an image anywhere under a folder."""
    return any(_looks_like_image(path) for path in walk(folder))


def _looks_like_image(path: str) -> bool:
    parts = path.split("/")
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and Path(path).suffix.lower() in IMAGE_SUFFIXES
