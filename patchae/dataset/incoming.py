"""A class on its way into `data/`: what its folder holds, and everything that is wrong with it."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from patchae.config import Name
from patchae.dataset.layout import GOOD, GROUND_TRUTH, folders, image_files, images
from patchae.dataset.misfits import is_for_masks, is_like_good, masks_among
from patchae.dataset.picture import Picture
from patchae.dataset.reading import read_pictures
from patchae.errors import DataError
from patchae.files import Progress
from patchae.images import MAX_PIXELS, LeftOut, find_images, require_usable, summary

_SPLITS = ("train", "test", GROUND_TRUTH)
_MOVE = "a class has train, test and ground_truth; move them there if they belong to it"
_UNNAMED = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Incoming:
    """One class folder of a source, wholly read."""

    name: str
    folder: Path
    files: Mapping[str, Picture]  # path relative to the class folder, POSIX
    left_out: tuple[LeftOut, ...]
    """All else that lies there; paths begin with the name of the folder."""


def examine(
    name: str,
    folder: Path,
    progress: Progress,
    *,
    masks: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Incoming, list[str]]:
    """Read a class folder to the last byte; every problem as one line of text.

    Folders that are links are looked into. Without `masks` those are left out. Images of more than
    `max_pixels` are not decoded.
    """
    found = find_images(folder, follow_links=True)
    everything = [path.relative_to(folder).as_posix() for path in found.paths]
    kept = [path for path in everything if _has_place(path)]
    if not masks:
        kept = [path for path in kept if not path.startswith(f"{GROUND_TRUTH}/")]
    others = [*_unplaced(name, set(everything) - set(kept), masks=masks)]
    others += [replace(item, path=f"{name}/{item.path}") for item in found.left_out]
    problems = [*link_problems(folder, found.left_out, name)]
    problems += _layout_problems(name, kept, sorted(set(everything) - set(kept)), masks=masks)
    if not kept:
        problems += [f"{name}: {line}" for line in summary(others)]
    pictures: dict[str, Picture] = {}
    files = [(str(folder / path), path.startswith(f"{GROUND_TRUTH}/")) for path in kept]
    read = read_pictures(files, max_pixels=max_pixels, progress=progress, what=f"checking {name}")
    for path, (_, is_mask), picture in zip(kept, files, read, strict=True):
        pictures[path] = picture
        if problem := picture.problem or (None if is_mask else _unusable(picture)):
            problems.append(f"{name}/{path}: {problem}")
    if kept:
        problems += _mask_problems(name, folder, pictures)
    return Incoming(name, folder, pictures, tuple(sorted(others))), problems


def _unusable(picture: Picture) -> str | None:
    """Why no model could learn from an image, whatever the rules of its class."""
    try:
        require_usable(picture.form)
    except DataError as error:
        return f"{error.what}; {error.mend}"
    return None


def name_problem(name: str) -> str | None:
    """Why no class can be called so; None if one can."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        expected = error.errors()[0]["msg"].removeprefix("Value error, ")
        return f"{name!r} cannot be the name of a class: {expected}"
    return None


def name_like(text: str) -> str:
    """A name that a class can have, as like a text as can be."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _UNNAMED.sub("-", plain).strip("-_")[:64] or "images"


def link_problems(folder: Path, others: Sequence[LeftOut], name: str = "") -> Iterator[str]:
    """Links that lead to nothing, or back to where they came from: what should be there is not."""
    for item in others:
        path = f"{name}/{item.path}" if name else item.path
        if item.kind == "link":
            yield f"{path}: a link that leads back to a folder that holds it; remove it"
        elif item.kind != "litter" and is_dead_link(folder / item.path):
            yield f"{path}: a link to nothing; mount what it leads to, or remove it"


def is_dead_link(path: Path) -> bool:
    """Whether a path is a link, and nothing is behind it."""
    return path.is_symlink() and not path.exists()


def _has_place(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 3 and parts[0] in _SPLITS


def _unplaced(name: str, paths: set[str], *, masks: bool) -> Iterator[LeftOut]:
    """Images beside train, test and ground_truth; masks where none are wanted."""
    for path in paths:
        whole, top = f"{name}/{path}", path.partition("/")[0]
        if not masks and (top == GROUND_TRUTH or is_for_masks(top)):
            yield LeftOut(whole, "mask")
        elif top not in _SPLITS or "/" not in path:
            yield LeftOut(whole, "place", whole.rpartition("/")[0], _MOVE)


def _layout_problems(
    name: str, kept: Sequence[str], unplaced: Sequence[str], *, masks: bool
) -> Iterator[str]:
    if problem := name_problem(name):
        chosen = f"--class {shlex.quote(name)} --as {name_like(name)}"
        yield f"{problem}; call it another: patchae import SOURCE {chosen}"
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
    beside = Counter(path.partition("/")[0] for path in unplaced if "/" in path)
    for top, count in beside.items():
        if masks and is_for_masks(top):
            yield (
                f"{name}/{top}: {count} images; are they masks? rename the folder to"
                f" {GROUND_TRUTH}, with a folder for each kind in it, or import without any:"
                " --without-masks"
            )
    for path in unplaced:
        top, _, rest = path.partition("/")
        if top in _SPLITS and rest and (masks or top != GROUND_TRUTH):
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


def holds_images(folder: Path) -> bool:
    """Whether there is an image anywhere under a folder."""
    return bool(find_images(folder, follow_links=True).paths)
