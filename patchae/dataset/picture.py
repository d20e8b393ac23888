"""What one image file holds: its digests, and its size in pixels if it decodes to the last byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.errors import DataError
from patchae.files import sha256_bytes
from patchae.types import Sha256

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Picture:
    """A file's content at one moment. With a `problem`, width and height are 0 and mode is ""."""

    sha256: Sha256
    md5: str
    bytes: int
    width: int = 0  # px
    height: int = 0  # px
    mode: str = ""  # Pillow's name: L, RGB, I;16 ...
    coverage: float | None = None  # share of pixels > 0, of masks only
    problem: str | None = None


def read_picture(path: Path, *, as_mask: bool = False) -> Picture:
    """Read a file once, hash it and decode all of it, so that a truncated file is noticed.

    Raises:
        DataError: the file cannot be read at all, for example because it has just disappeared.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        content = path.read_bytes()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        raise DataError(
            "an image disappeared while it was being read"
            if gone
            else f"an image cannot be read: {error.strerror}",
            where=str(path),
            mend="let whatever changes these files finish, then run the command again",
        ) from None
    sha256 = sha256_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    try:
        with Image.open(BytesIO(content)) as image:
            image.load()
            width, height = image.size
            coverage = _coverage(image) if as_mask else None
            return Picture(sha256, md5, len(content), width, height, image.mode, coverage)
    except UnidentifiedImageError:
        # Pillow's own message holds a memory address, which would make every digest differ.
        problem = "not an image in a known format" if content else "an empty file"
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise a dozen kinds
        problem = f"truncated or damaged: {error or type(error).__name__}".splitlines()[0]
    return Picture(sha256, md5, len(content), problem=problem)


def read_pictures(files: Sequence[tuple[Path, bool]]) -> Iterator[Picture]:
    """`read_picture` of many `(path, as_mask)`, side by side and in the given order.

    Pillow and hashlib let go of Python's lock while they work, so threads are enough.
    """
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda file: read_picture(file[0], as_mask=file[1]), files)


def _coverage(mask: Image) -> float:
    import numpy as np

    single = len(mask.getbands()) == 1 and mask.mode != "P"
    pixels = np.asarray(mask if single else mask.convert("RGB"))  # (H, W) or (H, W, 3)
    bands = pixels.reshape(mask.height * mask.width, -1)  # (H W, 1 or 3)
    return float((bands > 0).any(axis=1).mean())
