"""Write a bundle: a zip whose bytes depend on nothing but the files in it.

Names are sorted, every date is 1980-01-01, every file has the same mode, and nothing is compressed:
no version of a compressor changes a byte. It appears under its name in one step.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO

from patchae.errors import UsageError
from patchae.files import file_in_one_step, sha256_file
from patchae.lineage.bundle.content import Files, Sources, files_of, index_of
from patchae.lineage.bundle.verify import INDEX

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16  # a plain file that everybody may read
_UNIX = 3
_BLOCK = 1 << 20


def require_target(target: Path) -> None:
    """Make sure that a bundle can be written there; asked before anything else is done.

    Raises:
        UsageError: it is a folder, or `-`.
    """
    if str(target) == "-":
        raise UsageError(
            "a bundle cannot be written to standard output", mend="name a file: --out FILE.zip"
        )
    if target.is_dir():
        raise UsageError(
            "a bundle is a file, and there is a folder of this name",
            where=str(target),
            mend=f"name a file, for example --out {target / 'bundle.zip'}",
        )


def write_bundle(target: Path, sources: Sources, pages: Files) -> str:
    """Write the bundle in one step, over one that is there; returns its sha256.

    Args:
        target: the zip.
        sources: what its files are made from.
        pages: those for people, among them `index.html`.

    Raises:
        UsageError: the target is a folder, or `-`.
    """
    require_target(target)
    files = files_of(sources, pages)
    digests = {name: _digest(content) for name, content in files.items()}
    files[INDEX] = index_of(sources, digests)
    with file_in_one_step(target) as draft:
        write_zip(draft, files)
        return sha256_file(draft)


def write_zip(target: Path, files: Mapping[str, bytes | Path]) -> None:
    """A zip of files, by their names in it. Law: equal names and contents give equal bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            entry.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
            with _opened(content) as read, bundle.open(entry, "w") as written:
                shutil.copyfileobj(read, written, _BLOCK)


def _digest(content: bytes | Path) -> tuple[str, int]:
    if isinstance(content, bytes):
        return sha256(content).hexdigest(), len(content)
    return sha256_file(content), content.stat().st_size


@contextmanager
def _opened(content: bytes | Path) -> Iterator[IO[bytes]]:
    with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        yield file
