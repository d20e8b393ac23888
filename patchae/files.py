"""Bytes on disk: digests, canonical JSON, and writes that are all there or not there at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from patchae.errors import DataError
from patchae.types import Sha256


def sha256_bytes(content: bytes) -> Sha256:
    """sha256 of bytes, as 64 hexadecimal digits."""
    return Sha256(hashlib.sha256(content).hexdigest())


def sha256_file(path: Path) -> Sha256:
    """sha256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return Sha256(hashlib.file_digest(file, "sha256").hexdigest())


def digests_of(folder: Path) -> dict[str, Sha256]:
    """sha256 of every file below a folder, by its POSIX path in it, sorted."""
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


_HOW: dict[str, Any] = {"sort_keys": True, "ensure_ascii": True, "allow_nan": False}
_CANONICAL = json.JSONEncoder(separators=(",", ":"), **_HOW)
_ON_LINES = json.JSONEncoder(separators=("\n", ":"), **_HOW)


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII only; NaN is an error.

    Law: `canonical_json(json.loads(canonical_json(x))) == canonical_json(x)`.
    """
    return _CANONICAL.encode(value)


def canonical_json_each(values: Sequence[str | float | None]) -> list[str]:
    """`canonical_json` of each of many plain values, in a fraction of the time of one by one."""
    # A text in JSON holds no line end, so that these tell the values apart.
    return _ON_LINES.encode(list(values))[1:-1].split("\n") if values else []


def digest_json(value: Any) -> Sha256:
    """sha256 over the canonical JSON of a value."""
    return sha256_bytes(canonical_json(value).encode())


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: after a crash at any moment it holds the old text or the new."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step: after a crash at any moment it holds the old bytes or the new."""
    with file_in_one_step(path) as draft:
        draft.write_bytes(content)


def write_whole(file: int, content: bytes) -> None:
    """Write all of some bytes to an open file: a disk that is nearly full takes a part of them.

    Raises:
        OSError: the disk is full or gone; a part may be written.
    """
    done = 0
    while done < len(content):
        done += os.write(file, content[done:])


MODE = 0o666
"""Of every new file, less the umask: in a group's folder the group may write all of them."""


def touch(path: Path) -> None:
    """Make an empty file where there is none; SQLite's own would never be a group's to write."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, MODE))


@contextmanager
def file_in_one_step(path: Path) -> Iterator[Path]:
    """A draft beside a file that takes its place only when the block ends without an error.

    After a crash at any moment the file is the old one or the new one, whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE))
    try:
        yield draft
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON with sorted keys in one step."""
    write_text(path, json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n")


@contextmanager
def folder_in_one_step(target: Path) -> Iterator[Path]:
    """A new folder that appears under `target` only when the block ends without an error.

    Until then the content lies in a hidden sibling, which the next call for the same target
    removes; a `kill -9` therefore leaves either no `target` or a whole one, the old or the new.
    """
    draft = target.parent / f".{target.name}.draft"
    old = target.parent / f".{target.name}.old"
    for left_behind in (draft, old):
        if left_behind.exists():
            shutil.rmtree(left_behind)
    draft.mkdir(parents=True)
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if target.exists():
        target.rename(old)  # out of the way in one move: removing it file by file takes many
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path lies below a folder once every link in both is followed."""
    whole = path.resolve()
    return whole != (outer := folder.resolve()) and whole.is_relative_to(outer)


def remove(path: Path, folder: Path) -> None:
    """Remove a file or a folder, which may be gone already, but nothing outside of `folder`.

    A link is removed as such; what lies behind it stays.

    Raises:
        DataError: the path leads out of `folder`.
        OSError: it cannot be removed.
    """
    if not lies_in(path.parent / "any", folder) or path.name in ("", "..", "."):
        raise DataError(
            "a path leads out of the project's own folder; nothing was removed",
            where=str(path),
            mend=f"look where the links in {folder} lead",
        )
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)` by anything that takes long; must return quickly."""


def stats_below(folder: Path) -> Iterator[os.stat_result]:
    """Of every file in a folder, however deep; what goes away meanwhile is left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                yield os.stat(os.path.join(parent, name))  # noqa: PTH116, PTH118 - text is quicker


def silent(what: str, done: int, total: int) -> None:
    """The progress that nobody watches."""
