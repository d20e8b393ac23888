"""Where images lie: MVTec AD layout, read from disk and never changed.

    data/<class>/train/good/000.png
    data/<class>/test/good/000.png
    data/<class>/test/<defect>/000.png
    data/<class>/ground_truth/<defect>/000_mask.png     optional; `_masks_of` knows other names

Names are kept exactly as they are on disk: no case folding, no Unicode normalization; only to find
the mask of an image both are normalized. Hidden files, litter of operating systems and files that
are no images are passed over.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from patchae.errors import DataError
from patchae.images import IMAGE_SUFFIXES, is_image_name, is_litter, suffix_of, walked
from patchae.images.names import shown, unreadable_folder

GROUND_TRUTH = "ground_truth"
GOOD = "good"
_MARK = re.compile(r"[_-](mask|gt)$", re.IGNORECASE)
"""What makes the name of an image that of its mask."""


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
        DataError: the class has no folder or no images, one of its folders cannot be read, an
            image has several masks, or a name is not valid UTF-8.
    """
    root = data / class_name
    truths = {_nfc(folder.name): folder for folder in folders(root / GROUND_TRUTH)}
    found = [
        image
        for split in folders(root)
        if split.name != GROUND_TRUTH
        for defect in folders(split)
        for image in _images_of(class_name, defect, truths.get(_nfc(defect.name)))
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


def masks_among(images: Iterable[str], files: Iterable[str]) -> set[str]:
    """The masks of images of one class, all as POSIX paths relative to `data/`."""
    tested: dict[str, list[str]] = {}
    for path in images:
        class_name, split, defect, name = path.split("/")
        if split == "test":
            tested.setdefault(_nfc(f"{class_name}/{GROUND_TRUTH}/{defect}"), []).append(name)
    masks: dict[str, dict[str, str]] = {}
    for path in files:
        folder, _, name = path.rpartition("/")
        masks.setdefault(_nfc(folder), {})[name] = path
    return {
        masks[folder][mask]
        for folder, names in tested.items()
        for owned in _masks_of(names, masks.get(folder, ())).values()
        for mask in owned
    }


def _masks_of(images: Iterable[str], files: Iterable[str]) -> dict[str, list[str]]:
    """The masks of each image that has some, sorted, by names in two folders of one kind.

    A mask is called like its image, in whatever form of Unicode, with or without `_mask` or `_gt`,
    and has the suffix of any image: `000_mask.png`, `000.png`, `000_GT.bmp`, `000.png.png`.
    """
    owners: dict[str, list[str]] = {}
    for name in images:
        whole = _nfc(name)
        for called in {whole, whole.rpartition(".")[0]}:
            owners.setdefault(called, []).append(name)
    found: dict[str, list[str]] = {}
    for mask in sorted(files):
        if is_image_name(mask):
            owner = next((text for text in _owner_names(mask) if text in owners), "")
            for image in owners.get(owner, ()):
                found.setdefault(image, []).append(mask)
    return found


def _owner_names(mask: str) -> Iterator[str]:
    """What the image of a mask may be called, with its suffix or without; most likely first."""
    text, shorter = _nfc(mask), []
    while suffix_of(text) in IMAGE_SUFFIXES:
        text = text.rpartition(".")[0]
        shorter.append(text)
    yield from shorter
    yield from (_MARK.sub("", text) for text in shorter if _MARK.search(text))


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _images_of(class_name: str, folder: Path, truth: Path | None) -> Iterator[ImageFile]:
    """The images of one kind, and their masks in the folder of its ground truth."""
    split, defect = folder.parts[-2:]
    names = [name for name in sorted(_files(folder)) if is_image_name(name)]
    masks = _masks_of(names, _files(truth)) if truth and split == "test" else {}
    for name in names:
        owned = masks.get(name, ())
        if len(owned) > 1:
            raise DataError(
                f"an image has {len(owned)} masks: {', '.join(map(shown, owned))}",
                where=shown(str(folder / name)),
                mend="leave the right one in its folder, and take the others out",
            )
        path = f"{class_name}/{split}/{defect}/{name}"
        mask = f"{class_name}/{GROUND_TRUTH}/{truth.name}/{owned[0]}" if truth and owned else None
        for text in (path, mask or ""):
            if not text.isascii():
                require_utf8(folder.parents[2] / text)
        yield ImageFile(path, split, defect, mask)


def _files(folder: Path) -> frozenset[str]:
    """Names of the files directly in a folder, or behind links in it; none without a folder."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise unreadable_folder(error) from None


def require_utf8(path: Path) -> None:
    """Let only names pass that manifests, stores and pages can write down.

    Raises:
        DataError: a name is not UTF-8; it is shown with its bytes.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise DataError(
            "a name is not valid UTF-8", where=shown(str(path)), mend="rename it"
        ) from None
