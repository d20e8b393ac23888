"""What a person asks about: files, digests, paths of data/, or a list of them in a file."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from patchae.dataset.layout import is_image_path
from patchae.errors import DataError
from patchae.project import Project

_SHA256, _MD5 = re.compile(r"[0-9a-fA-F]{64}"), re.compile(r"[0-9a-fA-F]{32}")
_COLUMNS = ("sha256", "path", "file")
"""Names of a column that is understood; the first of them that a row has a value in counts."""


@dataclass(frozen=True)
class Asked:
    """One image as it was asked for: by its content, or as whatever stood under a path."""

    text: str
    sha256: str | None = None
    md5: str | None = None
    path: str | None = None


def asked(project: Project, words: Iterable[str]) -> list[Asked]:
    """What the words mean, each once.

    A word is a sha256, an md5, a file (here, or relative to data/), or else a path that an image
    had in data/ in some version.

    Raises:
        DataError: a word is none of these.
    """
    return [_one(project, word) for word in dict.fromkeys(words)]


def read_list(file: Path) -> list[str]:
    """The words in a list: the column `sha256`, `path` or `file`, or else the first column.

    Raises:
        DataError: it is no such file, or has no row.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        separator = ";" if ";" in first and "," not in first else ","
        rows = list(csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True))
    except OSError as error:
        raise DataError(
            f"the list cannot be read: {error.strerror}", where=str(file), mend="name another file"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"the list is no CSV: {error}", where=str(file), mend="write one image a line, in UTF-8"
        ) from None
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    columns = [head.index(name) for name in _COLUMNS if name in head]
    found = [_value(row, columns or [0]) for row in rows[1 if columns else 0 :]]
    words = [word for word in found if word]
    if not words:
        raise DataError(
            "the list names no image",
            where=str(file),
            mend=f"write one path or sha256 a line; a header may name {', '.join(_COLUMNS)}",
        )
    return words


def _value(row: list[str], columns: list[int]) -> str:
    values = (row[column].strip() for column in columns if column < len(row))
    return next(filter(None, values), "")


def _one(project: Project, word: str) -> Asked:
    if _SHA256.fullmatch(word):
        return Asked(word, sha256=word.lower())
    if _MD5.fullmatch(word):
        return Asked(word, md5=word.lower())
    inside = _path_in_data(project, word)
    for file in (Path(word), project.data / inside):
        try:
            content = file.read_bytes()
        except OSError:
            continue
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return Asked(word, sha256=hashlib.sha256(content).hexdigest(), md5=md5)
    if is_image_path(inside, inside.partition("/")[0]):
        return Asked(word, path=inside)
    raise DataError(
        f"'{word}' is no file, no digest, and no path of an image in data/",
        where=str(Path.cwd()),
        mend="give a file, a sha256, an md5, or a path such as bolt/train/good/003.png",
    )


def _path_in_data(project: Project, word: str) -> str:
    path = Path(word)
    if path.is_absolute() and path.is_relative_to(project.data):
        return path.relative_to(project.data).as_posix()
    return path.as_posix().removeprefix("data/")
