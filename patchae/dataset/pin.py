"""`data.dvc`: the file in Git that says which version of `data/` belongs to this commit.

It is the file that `dvc add data` writes, byte for byte, and holds no time and no host: the same
images give the same file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from patchae.errors import DataError
from patchae.files import write_text
from patchae.types import DataVersion

_VERSION = re.compile(r"[0-9a-f]{32}\.dir")


def read_pin(file: Path) -> DataVersion | None:
    """The pinned version; None if there is no file.

    Raises:
        DataError: the file is not what DVC writes for a folder.
    """
    document = _read(file)
    return None if document is None else DataVersion(document["outs"][0]["md5"])


def write_pin(file: Path, version: DataVersion, *, files: int, size: int) -> bool:
    """Pin a version in one step; whether that changed the file. `size` is in bytes.

    Whatever else the file says (a description, labels) stays in it.
    """
    document = _read(file) or {"outs": [{}]}
    out = document["outs"][0]
    if out.get("md5") == version:
        return False
    out.update(md5=version, size=size, nfiles=files)
    out.setdefault("hash", "md5")
    out.setdefault("path", "data")
    write_text(file, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return True


def parse_pin(text: str) -> dict[str, Any]:
    """The one output that the text of a `data.dvc` tells of: md5, and perhaps nfiles and size.

    Raises:
        ValueError: the text does not pin a version of data/.
    """
    return dict(_parse(text)["outs"][0])


def _parse(text: str) -> Any:
    try:
        document = yaml.safe_load(text)
        (out,) = document["outs"]
        usable = (
            out["path"] == "data"
            and "wdir" not in document
            and _VERSION.fullmatch(out["md5"])
            and out.get("hash") == "md5"
        )
    except (yaml.YAMLError, TypeError, KeyError, ValueError):
        usable = False
    if not usable:
        raise ValueError("not what DVC writes for a folder")
    return document


def _read(file: Path) -> Any:
    try:
        return _parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValueError):
        raise DataError(
            f"{file.name} does not pin a version of data/",
            where=str(file),
            mend=f"git checkout -- {file.name}; or remove it and run patchae snapshot",
        ) from None
