"""What one image file holds: its digests, what kind of image it is, and how it looks."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from patchae.errors import DataError
from patchae.files import sha256_bytes
from patchae.images import MAX_PIXELS, Form, form_of, read_marks
from patchae.images.form import is_upright, lift_pillow_limit
from patchae.images.learned import FORMATS, unread_kind
from patchae.types import Sha256

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from patchae.dataset.looks import Looks

TOO_MANY_PIXELS = "too many pixels"
"""How the problem of such an image begins."""
EMPTY = "an empty file"
UNKNOWN = "not an image in a known format"


class Picture(NamedTuple):
    """A file's content at one moment. With a `problem`, width and height are 0 and mode is ""."""

    sha256: Sha256
    md5: str
    bytes: int
    width: int = 0  # px
    height: int = 0  # px
    mode: str = ""  # Pillow's name: L, RGB, I;16 ...; RGB;16 where Pillow drops half of the bits
    kind: str = ""  # Pillow's name: PNG, JPEG, TIFF ...
    frames: int = 1
    upright: bool = True  # False: EXIF says that viewers shall turn it; patchae does not
    coverage: float | None = None  # share of pixels > 0, of masks only
    cut: float | None = None  # share of pixels of a mask that are noise or soft edges
    problem: str | None = None
    looks: Looks | None = None  # of images only, not of masks

    @property
    def form(self) -> Form:
        """What its header says."""
        several = self.frames > 1
        return Form(self.kind, self.mode, self.width, self.height, several, self.upright)


def read_picture(path: Path, *, as_mask: bool = False, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a file once, hash it and decode all of it, so that a truncated file is noticed.

    Raises:
        DataError: the file cannot be read at all, for example because it has just disappeared.
    """
    return picture_of(content_of(path), as_mask=as_mask, max_pixels=max_pixels)


def content_of(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        DataError: the file cannot be read at all, for example because it has just disappeared.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        raise DataError(
            "an image disappeared while it was being read"
            if gone
            else f"an image cannot be read: {error.strerror}",
            where=str(path),
            mend="let whatever changes these files finish, then run the command again",
        ) from None


def picture_of(
    content: bytes,
    *,
    as_mask: bool = False,
    sha256: Sha256 | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Picture:
    """What the bytes of a file are; their sha256 is not computed where a caller knows it."""
    from PIL import Image, UnidentifiedImageError

    lift_pillow_limit()
    sha256 = sha256 or sha256_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    kind = ""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            kind = image.format or ""
            if image.width * image.height > max_pixels:
                raise _TooManyPixels(image.width, image.height, max_pixels)  # noqa: TRY301
            return _decoded(image, Picture(sha256, md5, len(content), kind=kind), as_mask)
    except UnidentifiedImageError:
        # Pillow's own message holds a memory address, which would make every digest differ.
        unread = unread_kind(content[:16])
        problem = (
            f"an image of type {unread[0]}, which is not read"
            if unread
            else UNKNOWN
            if content
            else EMPTY
        )
    except _TooManyPixels as error:
        problem = f"{TOO_MANY_PIXELS}: {error}".splitlines()[0]
    except MemoryError:  # says nothing of the image: it must not be remembered of it
        raise
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise a dozen kinds
        problem = f"truncated or damaged: {str(error) or type(error).__name__}".splitlines()[0]
    return Picture(sha256, md5, len(content), kind=kind, problem=problem)


class _TooManyPixels(Exception):
    def __init__(self, width: int, height: int, most: int) -> None:
        super().__init__(
            f"{width:,} x {height:,} px are more than validation.max_pixels = {most:,}: raise it in"
            " lines.yaml, or make the image smaller"
        )


def _decoded(image: ImageFile, known: Picture, as_mask: bool) -> Picture:
    from patchae.dataset.looks import look

    form = form_of(image)
    marks, cut = read_marks(image) if as_mask else (None, None)
    image.load()
    return known._replace(
        width=image.width,
        height=image.height,
        mode=form.mode,
        frames=getattr(image, "n_frames", 1) if form.several else 1,
        upright=is_upright(image),
        coverage=float(marks.mean()) if marks is not None else None,
        cut=cut,
        looks=None if as_mask else look(image),
    )
