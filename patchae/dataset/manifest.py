"""The manifest of a class: a table with one row per image, and one digest over what they are.

The digest names the content of a class as the trained model sees it: `COLUMNS`, and not how images
look (`MEASURED`), which a better measure may see otherwise tomorrow. Laws: the order of rows does
not matter; any other cell of `COLUMNS` gives another digest; `from_csv(to_csv(m))` equals those
columns to the last bit, so the digest survives the text form. Paths are exactly the names on disk:
no Unicode normalization.
"""

from __future__ import annotations

import csv
import os
from contextlib import nullcontext
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.dataset.layout import ImageFile, images
from patchae.dataset.looks import NO_LOOKS, Looks
from patchae.dataset.parquet import parquet_writer
from patchae.dataset.picture import Picture
from patchae.dataset.reading import read_pictures
from patchae.errors import DataError
from patchae.files import Progress, canonical_json_each, sha256_bytes, silent
from patchae.images import MAX_PIXELS
from patchae.types import ClassDigest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

# Text that may be absent is of dtype object, so that absent is None and not NaN.
DTYPES = {
    "class": "str",
    "split": "str",  # train, test, or whatever folder is there
    "defect": "str",  # good, or the folder's name
    "path": "str",  # POSIX, relative to data/
    "sha256": "str",
    "md5": "str",  # the name of the object in DVC
    "bytes": "int64",
    "width": "int64",  # px; 0 if the image does not decode
    "height": "int64",  # px; 0 if the image does not decode
    "mode": "str",  # Pillow's name; "" if the image does not decode
    "mask": "object",  # POSIX, relative to data/; None without a mask
    "mask_sha256": "object",
    "mask_width": "Int64",  # px
    "mask_height": "Int64",  # px
    "mask_coverage": "float64",  # 0..1, share of mask pixels > 0; NaN without a readable mask
    "problem": "object",  # None, or why the image or its mask does not decode
}
COLUMNS = tuple(DTYPES)
"""What an image is."""
MEASURED = {
    "kind": "str",  # Pillow's name of the format; "" if it is none
    "frames": "int64",
    "upright": "bool",  # False: EXIF says that viewers shall turn it
    **dict.fromkeys(Looks._fields, "float64"),  # NaN if the image does not decode
    "perceptual_hash": "object",  # None if the image does not decode
    "mask_md5": "object",  # the name of the mask's object in DVC; None without a mask
    "mask_cut": "float64",  # 0..1, share of it that is noise or soft edges; NaN without one
}
"""How it looks, see `patchae.dataset.looks`, and where DVC keeps its mask."""
_ROW_GROUP = 10_000
"""So many rows become columns at a time."""
_OPTIONAL = frozenset(
    {"mask", "mask_sha256", "mask_width", "mask_height", "mask_coverage", "problem"}
)
_ROW_AS_JSON = "{" + ",".join(f'"{name}":%s' for name in sorted(COLUMNS)) + "}"
_WHOLE = frozenset(name for name, dtype in DTYPES.items() if dtype.lower() == "int64")


def read_manifest(
    data: Path,
    class_name: str,
    progress: Progress = silent,
    *,
    cache: Path | None = None,
    parquet: Path | None = None,
    max_pixels: int = MAX_PIXELS,
) -> pd.DataFrame:
    """Read every image and mask of a class: one row per image, sorted by path.

    An image or mask that does not decode becomes a row whose `problem` says why.

    Args:
        data: the folder that holds the classes.
        class_name: the class.
        progress: called after every few files.
        cache: remembers what was read, see `patchae.dataset.picture_cache`.
        parquet: where to write the table as well, while it is read.
        max_pixels: width times height above which an image is not decoded.

    Raises:
        DataError: the class has no images, or a file cannot be read or disappears meanwhile.
    """
    import pandas as pd

    dtypes = DTYPES | MEASURED
    writing = parquet_writer(parquet, dtypes) if parquet else nullcontext(_drop)
    rows = _read_rows(data, class_name, progress, cache, max_pixels)
    frames = []
    with writing as write:
        while some := list(islice(rows, _ROW_GROUP)):
            frames.append(_frame(some, dtypes))
            write(frames[-1])
    return pd.concat(frames, ignore_index=True)


def manifest_of(class_name: str, pictures: Iterable[tuple[ImageFile, Picture]]) -> pd.DataFrame:
    """Return the table of images that were read already, masks aside."""
    rows = [_row(class_name, image, seen, None) + _measured(seen, None) for image, seen in pictures]
    return _frame(rows, DTYPES | MEASURED)


def _read_rows(
    data: Path, class_name: str, progress: Progress, cache: Path | None, max_pixels: int
) -> Iterator[list[Any]]:
    found = images(data, class_name)
    start = os.path.join(data, "")  # noqa: PTH118 - once: for each it costs more than all else
    files = [
        (start + path, as_mask)
        for image in found
        for path, as_mask in ((image.path, False), (image.mask, True))
        if path
    ]
    pictures = read_pictures(files, cache=cache, max_pixels=max_pixels, progress=progress)
    for image in found:
        picture = next(pictures)
        mask = next(pictures) if image.mask else None
        yield _row(class_name, image, picture, mask) + _measured(picture, mask)
    next(pictures, None)  # lets it report that all is read


def _drop(frame: pd.DataFrame) -> None:
    """Where no file is wanted."""


def class_digest(manifest: pd.DataFrame) -> ClassDigest:
    """sha256 over the sorted rows, each as canonical JSON on a line of its own."""
    # Column by column: a JSON encoder that is called for each row takes twice as long.
    cells = zip(*(_as_json(name, manifest[name]) for name in sorted(COLUMNS)), strict=True)
    rows = sorted(_ROW_AS_JSON % row for row in cells)
    return ClassDigest(sha256_bytes("\n".join(rows).encode()))


def to_csv(manifest: pd.DataFrame) -> str:
    """The one text of a manifest: a header, then rows in their order; floats by `repr`."""
    lines = [COLUMNS, *([_cell(value) for value in row.values()] for row in _rows(manifest))]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def from_csv(text: str) -> pd.DataFrame:
    """The manifest that `to_csv` wrote.

    Raises:
        DataError: the text is no manifest.
    """
    try:
        return _table(
            [_value(name, cell) for name, cell in zip(COLUMNS, line, strict=True)]
            for line in _lines(text)
        )
    except (ValueError, csv.Error) as error:
        raise DataError(
            f"a manifest cannot be read: {error}",
            mend="take it from a copy that is intact; patchae audit tells which is",
        ) from None


def _lines(text: str) -> list[list[str]]:
    lines = list(csv.reader(StringIO(text, newline=""), strict=True))
    if not lines or tuple(lines[0]) != COLUMNS:
        raise ValueError("its header is not that of a manifest")
    return lines[1:]


def _row(class_name: str, image: ImageFile, picture: Picture, mask: Picture | None) -> list[Any]:
    problem = picture.problem
    if problem is None and mask is not None and mask.problem is not None:
        problem = f"mask {image.mask}: {mask.problem}"
    seen = mask is not None and mask.problem is None
    return [
        class_name,
        image.split,
        image.defect,
        image.path,
        picture.sha256,
        picture.md5,
        picture.bytes,
        picture.width,
        picture.height,
        picture.mode,
        image.mask,
        mask.sha256 if mask else None,
        mask.width if mask and seen else None,
        mask.height if mask and seen else None,
        mask.coverage if mask and seen else None,
        problem,
    ]


def _measured(picture: Picture, mask: Picture | None) -> list[Any]:
    looks = picture.looks or NO_LOOKS
    of_mask = (mask.md5, mask.cut) if mask else (None, None)
    return [picture.kind, picture.frames, picture.upright, *looks, *of_mask]


def _table(rows: Iterable[Any]) -> pd.DataFrame:
    return _frame(list(rows), DTYPES)


def _frame(rows: list[Any], dtypes: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(dtypes), dtype=object).astype(dtypes)


def _rows(manifest: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain Python values, whatever pandas made of absent ones."""
    columns = [_plain(name, manifest[name]) for name in COLUMNS]
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]


def _as_json(name: str, column: pd.Series[Any]) -> list[str]:
    return canonical_json_each(_plain(name, column))


def _plain(name: str, column: pd.Series[Any]) -> list[Any]:
    to = int if name in _WHOLE else float if DTYPES[name] == "float64" else str
    values, there = column.to_list(), column.notna()
    if there.all():
        return list(map(to, values))
    return [
        to(value) if known else None for value, known in zip(values, there.to_list(), strict=True)
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _quoted(cell: str) -> str:
    # csv.writer leaves a lone carriage return unquoted, which its own reader takes for a line end.
    if any(mark in cell for mark in ',"\r\n'):
        cell = '"' + cell.replace('"', '""') + '"'
    return cell


def _value(name: str, cell: str) -> Any:
    if not cell and name in _OPTIONAL:
        return None
    if name in _WHOLE:
        return int(cell)
    return float(cell) if DTYPES[name] == "float64" else cell
