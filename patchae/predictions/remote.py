"""Decisions in S3: finished parts go there, and are fetched from there to be read.

Parts lie here until S3 has them. Whoever reads keeps a copy, since a part never changes.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path

from patchae.dataset import bucket
from patchae.files import sha256_bytes
from patchae.predictions import parts
from patchae.predictions.alone import alone_in

_FETCHED = "fetched"


def send(root: Path, address: str) -> int:
    """Bring the parts of a folder to S3 and remove them here; how many there were.

    Raises:
        StoreUnreachable: S3 does not answer, or refuses; the rest stays here.
    """
    sent = 0
    with alone_in(root) as ours:
        for day in parts.days(root) if ours else ():  # else another process does it
            folder = parts.day_folder(root, day)
            for file in sorted(folder.glob("*.parquet")):
                with suppress(FileNotFoundError):  # somebody took it away, and may
                    bucket.put(file, f"{address.rstrip('/')}/{folder.name}/{file.name}")
                    file.unlink()
                    sent += 1
            with suppress(OSError):  # another process has just written there
                folder.rmdir()
    return sent


def cached(root: Path, address: str) -> Path:
    """Where a log keeps copies of what an address has."""
    return root / _FETCHED / sha256_bytes(address.rstrip("/").encode())[:16]


def caches(root: Path) -> list[Path]:
    """Where a log keeps copies of whatever it once read."""
    return sorted((root / _FETCHED).glob("*"))


def fetch(cache: Path, address: str, since: date | None, until: date | None) -> Path:
    """Bring the parts of some days from S3 that are not here yet; the folder that has them all.

    What S3 has no more, since its own rules removed it, goes here, too.

    Raises:
        StoreUnreachable: S3 does not answer, or refuses.
    """
    there: set[Path] = set()
    for key, _ in bucket.stamped(address):
        day, _, name = key.rpartition("/")
        when = parts.day_of(day)
        if when is None or not name.endswith(".parquet"):
            continue
        if not (since and when < since) and not (until and when > until):
            there.add(cache / day / name)
    for day_ in parts.days(cache):
        if not (since and day_ < since) and not (until and day_ > until):
            parts.remove({*parts.day_folder(cache, day_).glob("*.parquet")} - there)
    bucket.fetch(
        [
            (f"{address.rstrip('/')}/{file.relative_to(cache).as_posix()}", file)
            for file in sorted(there)
            if not file.exists()
        ]
    )
    return cache
