"""What images a model learned from, and so which ones it may be asked about.

A score means something for images like those that were learned. What makes it meaningless is
refused: several images in one file, pixels that no model sees, another bit depth, an EXIF rotation
where there was none. What is doubtful is scored, and named: another size, grey in place of colour,
transparency, another range of a 16-bit camera.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.errors import DataError
from patchae.images.form import MAX_PIXELS, Form, form_of, lift_pillow_limit, require_usable
from patchae.images.names import SUFFIXES, UNREADABLE

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = tuple(kind for kind in SUFFIXES if kind != "MPO")
"""What is decoded, by Pillow's names; its reader of JPEG finds out what is an MPO."""
_GREY = frozenset({"1", "L", "LA", "I;16", "I;16L", "I;16B"})
_SMALL = 2
"""A side that is so many times shorter than the shortest one learned is far smaller."""
_DARK = 16
"""White that is so many times darker than the one learned is that of another bit depth."""
_SIGNATURES = (
    (b"GIF8", ".gif"), (b"8BPS", ".psd"), (b"\0\0\0\x0cjP", ".jp2"), (b"\xff\x4f\xff\x51", ".jp2"),
    (b"\xff\x0a", ".jxl"), (b"\0\0\0\x0cJXL", ".jxl"), (b"SIMPLE  =", ".fits"),
)  # fmt: skip
_BRANDS = {b"avif": ".avif", b"avis": ".avif"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), ".heic"
)


@dataclass(frozen=True)
class Learned:
    """What the images of a training were like; unknown of models made before this was kept."""

    modes: tuple[str, ...] = ()
    """Pillow's names, sorted; none: nothing is known."""
    width: tuple[int, int] = (0, 0)
    """Least and most, in pixels."""
    height: tuple[int, int] = (0, 0)
    turned: bool = False
    """Whether EXIF asks to turn one of them."""
    transparent: bool = False
    """Whether one of them may be transparent somewhere."""

    @classmethod
    def of(cls, files: Iterable[Path]) -> Learned:
        """Return what image files are like, by their headers.

        Raises:
            DataError: a file is no image.
        """
        forms = []
        transparent = False
        for file in files:
            with opened(file) as image:
                forms.append(form_of(image))
                transparent |= _has_alpha(image)
        widths, heights = [form.width for form in forms], [form.height for form in forms]
        return cls(
            modes=tuple(sorted({form.mode for form in forms})),
            width=(min(widths), max(widths)),
            height=(min(heights), max(heights)),
            turned=not all(form.upright for form in forms),
            transparent=transparent,
        )

    @classmethod
    def parse(cls, facts: dict[str, Any] | None) -> Learned:
        """Return what stands in `model.json`; nothing is known where nothing stands there."""
        if not facts:
            return cls()
        values: dict[str, Any] = {
            key: tuple(it) if isinstance(it, list) else it for key, it in facts.items()
        }
        return cls(**values)

    @property
    def max_pixels(self) -> int:
        """Width times height of the largest image that was learned, and at least `MAX_PIXELS`."""
        return max(MAX_PIXELS, self.width[1] * self.height[1])

    def check(self, image: ImageFile, white: int, max_pixels: int | None = None) -> tuple[str, ...]:
        """Return what makes the score of an open image doubtful.

        Args:
            image: not decoded yet.
            white: value that counts as white in a 16-bit file, as the model has it.
            max_pixels: width times height above which it is not decoded; None: those of
                `Learned.max_pixels`.

        Raises:
            DataError: its score would mean nothing, or it is too large to be decoded.
        """
        form = form_of(image)
        self._require_fit(form, max_pixels or self.max_pixels)
        if not self.modes:
            return ("EXIF turns it, and it is scored as it is stored",) if not form.upright else ()
        return (
            *self._sides(form),
            *self._colours(form, image),
            *self._range(form, image, white),
        )

    def _require_fit(self, form: Form, max_pixels: int) -> None:
        require_pixels(form, max_pixels)
        require_usable(form)
        if not self.modes:
            return
        if not form.upright and not self.turned:
            raise DataError(
                "an image that EXIF turns, and the model learned from images as they are stored",
                mend="turn the pixels and remove the EXIF orientation",
            )
        depths = sorted({_bits(mode) for mode in self.modes})
        if _bits(form.mode) not in depths:
            raise DataError(
                f"an image of {_bits(form.mode)} bits (mode {form.mode}), and the model learned"
                f" from {' and '.join(map(str, depths))} bits (mode {', '.join(self.modes)})",
                mend="save it as the training images were, or train on images like it",
            )

    def _sides(self, form: Form) -> Iterator[str]:
        (narrow, wide), (low, high) = self.width, self.height
        inside = narrow <= form.width <= wide and low <= form.height <= high
        if inside:
            return
        usual = f"{narrow} x {low}" + (
            "" if (narrow, low) == (wide, high) else f" to {wide} x {high}"
        )
        small = form.width * _SMALL < narrow or form.height * _SMALL < low
        yield (
            f"{form.width} x {form.height} px, {'far smaller than' if small else 'and not'}"
            f" the {usual} px that the model learned from"
        )

    def _colours(self, form: Form, image: ImageFile) -> Iterator[str]:
        if not self.transparent and _has_alpha(image) and _shows_through(image):
            yield "transparent, and what lies under the transparency is scored"
        learned_grey = {mode in _GREY for mode in self.modes}
        grey = form.mode in _GREY or (False not in learned_grey and _is_grey(image))
        if grey not in learned_grey:
            yield (
                "grey, and the model learned from colour"
                if grey
                else "in colour, and the model learned from grey"
            )
        elif form.mode == "CMYK" and form.mode not in self.modes:
            yield "CMYK, and its colours are an approximation"

    def _range(self, form: Form, image: ImageFile, white: int) -> Iterator[str]:
        if form.mode.startswith("I;16"):
            import numpy as np

            highest = int(np.asarray(image).max())
            if highest > white or highest * _DARK < white:
                yield f"values up to {highest}, and white is {white} in what the model learned from"


@contextmanager
def opened(source: Path | bytes) -> Iterator[ImageFile]:
    """Open an image file, or the bytes of one, without decoding it; only types of `FORMATS`.

    Raises:
        DataError: it is no such image, or what is done with it in the block finds it damaged.
    """
    from PIL import Image, UnidentifiedImageError

    lift_pillow_limit()
    where = str(source) if isinstance(source, Path) else None
    try:
        content = BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(content, formats=FORMATS) as image:
            yield image
    except DataError as error:
        error.where = error.where or where
        raise
    except UnidentifiedImageError:
        raise _no_image(source, where) from None
    except FileNotFoundError:
        raise DataError("there is no such file", where=where, mend="name an image") from None
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise whatever a broken file leads to
        raise DataError(
            f"not a readable image: {error or type(error).__name__}",
            where=where,
            mend="copy it again, or leave it out",
        ) from None


def require_pixels(form: Form, max_pixels: int) -> None:
    """Let only images pass that may be decoded.

    Raises:
        DataError: it has too many pixels.
    """
    if form.width * form.height > max_pixels:
        raise DataError(
            f"an image of {form.width} x {form.height} pixels, more than {max_pixels:,} in all",
            mend="make it smaller",
        )


def _no_image(source: Path | bytes, where: str | None) -> DataError:
    start = source[:16] if isinstance(source, bytes) else source.open("rb").read(16)
    if not start:
        return DataError("an empty file", where=where, mend="copy it again, or leave it out")
    if kind := unread_kind(start):
        what, mend = kind
        return DataError(f"an image of type {what}, which is not read", where=where, mend=mend)
    return DataError(
        "not an image", where=where, mend=f"use a file in one of the formats {', '.join(FORMATS)}"
    )


def unread_kind(start: bytes) -> tuple[str, str] | None:
    """Return the type of an image file that is not read, and the way out, by its first 16 bytes."""
    suffix = next((it for signature, it in _SIGNATURES if start.startswith(signature)), None)
    if start[4:8] == b"ftyp":
        suffix = _BRANDS.get(start[8:12], suffix)
    return UNREADABLE[suffix] if suffix else None


def _bits(mode: str) -> int:
    return 16 if mode.startswith("I;16") else 1 if mode == "1" else 8


def _has_alpha(image: ImageFile) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _shows_through(image: ImageFile) -> bool:
    lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    return float(lowest if isinstance(lowest, int | float) else lowest[0]) < 255


def _is_grey(image: ImageFile) -> bool:
    from PIL import ImageChops

    red, green, blue = image.convert("RGB").split()
    pairs = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return all(pair.getbbox() is None for pair in pairs)
