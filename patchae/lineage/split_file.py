"""`split.csv`: which image of train/good was learned from, and which set the threshold.

The test images are in `scores.csv`; the two together say of every image what a model used it for.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from typing import Literal, cast, get_args

Use = Literal["learned", "calibration"]
SPLIT_FILE = "split.csv"
_HEADER = ("path", "sha256", "use")


@dataclass(frozen=True)
class Used:
    """One image of train/good."""

    path: str
    """Relative to data/."""
    sha256: str
    use: Use


def split_csv(images: Iterable[Used]) -> str:
    """The text of the file. Law: `read_split(split_csv(i)) == list(i)`."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows((one.path, one.sha256, one.use) for one in images)
    return text.getvalue()


def read_split(text: str) -> list[Used]:
    """The images in the file.

    Raises:
        ValueError: it is not such a file.
    """
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    if tuple(next(rows, ())) != _HEADER:
        raise ValueError(f"expected the columns {', '.join(_HEADER)}")
    found = []
    for row in rows:
        if len(row) != len(_HEADER) or row[2] not in get_args(Use):
            raise ValueError(f"line {rows.line_num}: not an image and its use")
        found.append(Used(row[0], row[1], cast(Use, row[2])))
    return found
