"""The images of a folder or a bucket: listed, and here for as long as they are needed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from patchae.dataset import bucket
from patchae.errors import DataError, StoreUnreachable
from patchae.images import LeftOut, find_images, is_image_name, left_out
from patchae.predictions.record import as_text


@dataclass(frozen=True)
class Item:
    """One image of a source."""

    name: str
    stamp: str


def listed(source: str) -> Iterator[Item]:
    """The images of a source in the order of their names."""
    if source.startswith(bucket.SCHEME):
        for key, stamp in sorted(bucket.stamped(source)):
            if is_image_name(key):
                yield Item(key, stamp)
        return
    root = Path(source)
    if not root.is_dir():
        raise DataError("no such folder", where=source, mend="name a folder of images")
    for path in find_images(root).paths:
        told = path.stat()
        name = path.relative_to(root).as_posix()
        yield Item(as_text(name), f"{told.st_size}-{told.st_mtime_ns}")


def not_scored(source: str) -> list[LeftOut]:
    """Return what a source holds beside its images."""
    if source.startswith(bucket.SCHEME):
        return [item for key, _ in bucket.stamped(source) if (item := left_out(key))]
    return list(find_images(Path(source)).left_out)


def _file(root: Path, name: str) -> Path:
    """The file of a name, whose bytes that are no text may stand as `\\udcff` in it."""
    path = root / name
    if path.exists():
        return path
    return root / re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), name)


class fetched:  # noqa: N801 - reads as a word at its place
    """The files of some images, in their order; those of a bucket only for the block.

    One that is gone by now has a path, and no file.
    """

    def __init__(self, source: str, items: Sequence[Item]) -> None:
        self._source, self._items = source, items
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> list[Path]:
        if not self._source.startswith(bucket.SCHEME):
            return [_file(Path(self._source), item.name) for item in self._items]
        self._folder = tempfile.TemporaryDirectory()
        paths = [
            Path(self._folder.name) / f"{number}{Path(item.name).suffix}"
            for number, item in enumerate(self._items)
        ]
        base = self._source.rstrip("/")
        files = {
            item.name: (f"{base}/{item.name}", path)
            for item, path in zip(self._items, paths, strict=True)
        }
        try:
            bucket.fetch([*files.values()])
        except StoreUnreachable:
            # An object that was deleted since it was listed fails as a server does that is away.
            there = {key for key, _ in bucket.stamped(self._source)}
            if files.keys() <= there:
                raise
            bucket.fetch([one for name, one in files.items() if name in there])
        return paths

    def __exit__(self, *_: object) -> None:
        if self._folder:
            self._folder.cleanup()


def fetched_one(source: str, name: str) -> AbstractContextManager[Path]:
    """The file of one image for the length of a block."""

    @contextmanager
    def one() -> Iterator[Path]:
        with fetched(source, [Item(name, "")]) as (path,):
            yield path

    return one()
