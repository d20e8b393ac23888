"""Where images lie: MVTec AD layout, read from disk and never changed.

    data/<class>/train/good/000.png
    data/<class>/test/good/000.png
    data/<class>/test/<defect>/000.png
    data/<class>/ground_truth/<defect>/000_mask.png     optional; 000.png is accepted too

Names are kept exactly as they are on disk: no case folding, no Unicode normalization. Hidden files,
litter of operating systems and files that are no images are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from patchae.errors import DataError
from patchae.images import IMAGE_SUFFIXES, is_image_name, is_litter, suffix_of, walked
from patchae.images.names import unreadable_folder

GROUND_TRUTH = "ground_truth"
GOOD = "good"


class ImageFile(NamedTuple):
    """One image of a class. Paths are POSIX and relative to the folder that holds the classes."""

    path: str
    split: str
    defect: str
    mask: str | None


def present_classes(data: Path) -> list[str]:
    """The classes under `data`: its folders that are not hidden, sorted. No folder, no classes."""
    return [folder.name for folder in folders(data)]


def images(data: Path, class_name: str) -> list[ImageFile]:
    """Every image of a class, sorted by path; images of `test` carry their mask if there is one.

    Raises:
        DataError: the class has no folder or no images, one of its folders cannot be read, or a
            name is not valid UTF-8.
    """
    root = data / class_name
    found = [
        image
        for split in folders(root)
        if split.name != GROUND_TRUTH
        for defect in folders(split)
        for image in _images_of(class_name, split.name, defect)
    ]
    if not found:
        what = "has no images" if root.is_dir() else "has no folder"
        raise DataError(
            f"class '{class_name}' {what}",
            where=str(root),
            mend="bring its images in: patchae import FOLDER",
        )
    return sorted(found)


def folders(parent: Path) -> list[Path]:
    """The folders in a folder that are not hidden, sorted; none if there is no such folder.

    Raises:
        DataError: it cannot be read.
    """
    try:
        if not parent.is_dir():
            return []
        return sorted(
            child for child in parent.iterdir() if not is_litter(child.name) and child.is_dir()
        )
    except OSError as error:
        raise unreadable_folder(error) from None


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in no order; none if there is no such folder.

    Raises:
        DataError: a folder cannot be read.
    """
    for parent, _, names in walked(folder):
        yield from (Path(parent, name) for name in names)


def image_files(folder: Path) -> list[Path]:
    """The image files directly in a folder, sorted; none if there is no such folder."""
    return [folder / name for name in sorted(_files(folder)) if is_image_name(name)]


def is_image_path(path: str, class_name: str) -> bool:
    """Whether a POSIX path relative to `data/` is that of a train or test image of a class."""
    parts = path.split("/")  # plain text: this is asked of every file of a data version
    return (
        len(parts) == 4
        and parts[0] == class_name
        and parts[1] != GROUND_TRUTH
        and not is_litter(path)
        and suffix_of(path) in IMAGE_SUFFIXES
    )


def mask_path(path: str, files: Container[str]) -> str | None:
    """The mask, among POSIX paths relative to `data/`, of an image of a class; None without one."""
    class_name, split, defect, name = path.split("/")
    folder = f"{class_name}/{GROUND_TRUTH}/{defect}"
    there = (one for mask in _mask_names(name) if (one := f"{folder}/{mask}") in files)
    return next(there, None) if split == "test" else None


def _mask_names(name: str) -> tuple[str, str]:
    """What the mask of an image may be called; the first that is there is the one."""
    stem = name.rpartition(".")[0]
    return f"{stem}_mask.png", f"{stem}.png"


def _images_of(class_name: str, split: str, folder: Path) -> Iterator[ImageFile]:
    defect = folder.name
    truth = folder.parents[1] / GROUND_TRUTH / defect
    masks = _files(truth) if split == "test" else frozenset()
    for name in sorted(_files(folder)):
        if not is_image_name(name):
            continue
        mask = next((one for one in _mask_names(name) if one in masks), None) if masks else None
        yield ImageFile(
            path=_said(f"{class_name}/{split}/{defect}/{name}", folder),
            split=split,
            defect=defect,
            mask=_said(f"{class_name}/{GROUND_TRUTH}/{defect}/{mask}", truth) if mask else None,
        )


def _files(folder: Path) -> frozenset[str]:
    """Names of the files directly in a folder, or behind links in it; none without a folder."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise unreadable_folder(error) from None


def _said(path: str, folder: Path) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"the name of an image is not valid UTF-8: {path!r}",
            where=repr(str(folder)),
            mend="rename the file",
        ) from None
    return path
