"""Which files are images, by their names, and what becomes of all others.

A file is one of four:

    an image     its suffix is in `IMAGE_SUFFIXES`
    litter       nobody's image: hidden files, AppleDouble files (`._a.png`), thumbnails of a NAS,
                 what Windows and macOS leave behind; passed over without a word
    unreadable   an image of a type that is not read here, such as HEIC; named, with what to do
    other        no image: named

The same rule holds for a path below a folder, a key of S3 and a member of an archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from patchae.errors import DataError

KINDS = {
    ".png": frozenset({"PNG"}),
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), frozenset({"JPEG", "MPO"})),
    ".bmp": frozenset({"BMP", "DIB"}),
    **dict.fromkeys((".tif", ".tiff"), frozenset({"TIFF"})),
    ".webp": frozenset({"WEBP"}),
}
"""What a file with each suffix may hold, by Pillow's names. A phone's JPEG is often an MPO: a JPEG
with a second picture behind it."""
IMAGE_SUFFIXES = frozenset(KINDS)
"""In small letters, with their dot."""
SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "BMP": ".bmp",
    "DIB": ".bmp",
    "TIFF": ".tif",
    "WEBP": ".webp",
}
"""What a file is called by what it holds (Pillow's name), where its own name does not say it."""

_AS_PNG = "save them as PNG"
_HEIC = "convert them to PNG or JPEG; a phone writes JPEG when set to 'most compatible'"
_RAW = "develop them, and save them as 8-bit PNG"
_FRAME = "save the frame that shows the part as PNG"
UNREADABLE = {
    **dict.fromkeys((".heic", ".heif", ".hif"), ("HEIC", _HEIC)),
    **dict.fromkeys((".avif", ".avifs"), ("AVIF", _AS_PNG)),
    **dict.fromkeys((".jxl", ".jxr", ".wdp"), ("JPEG XL or XR", _AS_PNG)),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".j2c"), ("JPEG 2000", _AS_PNG)),
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw",
         ".raw"),
        ("raw camera", _RAW),
    ),
    **dict.fromkeys((".gif", ".apng", ".mng"), ("GIF or animated PNG", _FRAME)),
    **dict.fromkeys((".mpo", ".jps"), ("stereo JPEG", _FRAME)),
    **dict.fromkeys((".pgm", ".ppm", ".pbm", ".pnm", ".pfm"), ("Netpbm", _AS_PNG)),
    **dict.fromkeys((".psd", ".psb", ".xcf", ".kra"), ("layered", "export them as PNG")),
    **dict.fromkeys((".svg", ".eps", ".ai", ".wmf", ".emf"), ("vector", "export them as PNG")),
    **dict.fromkeys((".exr", ".hdr"), ("high dynamic range", "save them as 8-bit PNG")),
    **dict.fromkeys((".dcm", ".dicom"), ("DICOM", "export them as PNG")),
    **dict.fromkeys((".tga", ".pcx", ".ico", ".cur", ".dib", ".qoi", ".sgi"), ("old", _AS_PNG)),
    **dict.fromkeys((".fits", ".fit"), ("FITS", _AS_PNG)),
}  # fmt: skip
"""Types of image that are recognised and not read, by suffix: what they are called, what to do."""

_LITTER = frozenset(
    {
        "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r",
        "__macosx", "@eadir", "#recycle", "@recycle", "@recently-snapshot", "#snapshot",
        "$recycle.bin", "system volume information", "lost+found", "found.000",
    }
)  # fmt: skip
"""Names of files and folders, in small letters, that systems and network storage leave behind."""

Kind = Literal["litter", "unreadable", "other", "link", "place", "mask", "empty"]
"""`place`: an image where none belongs; `mask`: one that a person said shall be left out; `empty`:
a folder without a file."""


@dataclass(frozen=True, order=True)
class LeftOut:
    """A file or folder that is not read as an image."""

    path: str
    """POSIX, relative to the folder that was searched; a key, or a name in an archive."""
    kind: Kind
    type: str = ""
    """Of an unreadable image: HEIC, GIF ...; of one in a wrong place: its folder."""
    mend: str = ""

    @property
    def matters(self) -> bool:
        """Whether a person would miss it: an image, or a folder that may hold some.

        Of what is no image: a file that is called like one, as a link to nothing is.
        """
        if self.kind == "other":
            return is_image_name(self.path)
        return self.kind in {"unreadable", "link", "place"}


@dataclass(frozen=True)
class Images:
    """What a folder holds."""

    paths: tuple[Path, ...]
    """The images, sorted."""
    left_out: tuple[LeftOut, ...]
    """Everything else, sorted, litter included."""


def suffix_of(path: str) -> str:
    """Return the suffix of a name or POSIX path, in small letters, with its dot.

    Plain text, since making a Path takes longer than all else that is done for an image.
    """
    _, dot, ending = path.rpartition(".")
    return (dot + ending).lower()


def is_litter(path: str) -> bool:
    """Return whether a file is nobody's image, by its POSIX path relative to what is searched."""
    return any(
        (part.startswith(".") and part not in {".", ".."}) or part.lower() in _LITTER
        for part in path.split("/")
    )


def is_image_name(path: str) -> bool:
    """Return whether a file of this name, or relative POSIX path, is an image and no litter."""
    return suffix_of(path) in IMAGE_SUFFIXES and not is_litter(path)


def left_out(path: str) -> LeftOut | None:
    """Return why a file of this relative POSIX path is not read; None if it is an image."""
    if is_litter(path):
        return LeftOut(path, "litter")
    suffix = suffix_of(path)
    if suffix in IMAGE_SUFFIXES:
        return None
    if suffix in UNREADABLE:
        return LeftOut(path, "unreadable", *UNREADABLE[suffix])
    return LeftOut(path, "other")


def find_images(folder: Path, *, follow_links: bool = False) -> Images:
    """Find the images in a folder and in the folders below it.

    Args:
        folder: where to look; no folder, no images.
        follow_links: whether to look into folders that are symbolic links. Those that are not
            looked into, and those that lead back to where they came from, are left out by name.

    Raises:
        DataError: a folder cannot be read.
    """
    paths: list[Path] = []
    others: list[LeftOut] = []
    for parent, folders, files in walked(folder, followlinks=follow_links):
        place = Path(parent).relative_to(folder).as_posix()
        start = "" if place == "." else f"{place}/"
        inside = []
        for name in folders:
            path, link = f"{start}{name}", Path(parent, name)
            if is_litter(name):
                others.append(LeftOut(path, "litter"))
            elif link.is_symlink() and (not follow_links or leads_back(link, folder)):
                others.append(LeftOut(path, "link", mend="name the folder behind the link as well"))
            else:
                inside.append(name)
        folders[:] = inside
        for name in files:
            file = Path(parent, name)
            if (reason := left_out(f"{start}{name}")) is None and not file.is_file():
                reason = LeftOut(f"{start}{name}", "other")  # a link to nothing, a pipe
            if reason is None:
                paths.append(file)
            else:
                others.append(reason)
    return Images(tuple(sorted(paths)), tuple(sorted(others)))


def leads_back(link: Path, root: Path) -> bool:
    """Return whether a linked folder holds one of those on the way to it, so that it has no end."""
    target = link.resolve()
    way = [link.parent, *link.parent.parents]
    return any(
        parent.resolve().is_relative_to(target) for parent in way if parent.is_relative_to(root)
    )


def summary(others: Iterable[LeftOut], most: int = 3) -> list[str]:
    """Return one line of text for each kind of file that is left out, litter aside.

    >>> summary([left_out("a.heic"), left_out("notes.txt")])
    ["1 image of type HEIC is not read (a.heic): convert ...", "1 file is no image (notes.txt)"]
    """
    groups: dict[tuple[Kind, str, str], list[str]] = {}
    for item in others:
        if item.kind != "litter":
            groups.setdefault((item.kind, item.type, item.mend), []).append(item.path)
    return [
        _line(kind, type_, mend, paths, most)
        for (kind, type_, mend), paths in sorted(groups.items(), reverse=True)
    ]


def _line(kind: Kind, type_: str, mend: str, paths: Sequence[str], most: int) -> str:
    count = len(paths)
    names = ", ".join(map(shown, paths[:most])) + (", ..." if count > most else "")
    are = "is" if count == 1 else "are"
    what = {
        "unreadable": f"image{'' if count == 1 else 's'} of type {type_} {are} not read",
        "place": f"image{'' if count == 1 else 's'} in {type_} {are} not imported",
        "empty": f"folder{'' if count == 1 else 's'} {are} empty",
        "mask": f"mask{'' if count == 1 else 's'} {are} not imported",
        "link": f"linked folder{'' if count == 1 else 's'} {are} not looked into",
    }.get(kind, f"file{'' if count == 1 else 's'} {are} no image{'' if count == 1 else 's'}")
    return f"{count:,} {what} ({names})" + (f": {mend}" if mend else "")


def shown(path: str) -> str:
    """Return a path as text: a byte that is no UTF-8 stands as `\\udcff` in it."""
    return path.encode(errors="backslashreplace").decode()


def walked(
    folder: Path, *, followlinks: bool = False
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk as `os.walk`; no folder, nothing to walk. That leaves out silently what it cannot read.

    Raises:
        DataError: a folder cannot be read.
    """
    return os.walk(folder, onerror=_stop, followlinks=followlinks)


def _stop(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise unreadable_folder(error)


def unreadable_folder(error: OSError) -> DataError:
    """Return the error of a folder that cannot be read."""
    return DataError(
        f"a folder cannot be read: {error.strerror}",
        where=str(error.filename),
        mend="correct its permissions, then run the command again",
    )
