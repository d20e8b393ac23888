"""Decisions in S3: finished parts go there, and are fetched from there to be read.

Parts lie here until S3 has them. Whoever reads keeps a copy, since a part never changes.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path

from patchae.dataset import bucket
from patchae.predictions import parts


def send(root: Path, address: str) -> int:
    """Bring the parts of a folder to S3 and remove them here; how many there were.

    Raises:
        StoreUnreachable: S3 does not answer, or refuses; the rest stays here.
    """
    sent = 0
    for day in parts.days(root):
        folder = parts.day_folder(root, day)
        for file in sorted(folder.glob("*.parquet")):
            bucket.put(file, f"{address.rstrip('/')}/{folder.name}/{file.name}")
            file.unlink()
            sent += 1
        with suppress(OSError):  # another process has just written there
            folder.rmdir()
    return sent


def fetch(cache: Path, address: str, since: date | None, until: date | None) -> Path:
    """Bring the parts of some days from S3 that are not here yet; the folder that has them all.

    Raises:
        StoreUnreachable: S3 does not answer, or refuses.
    """
    missing = []
    for key, _ in bucket.stamped(address):
        day, _, name = key.rpartition("/")
        if not day.startswith("date=") or not name.endswith(".parquet"):
            continue
        when = date.fromisoformat(day.removeprefix("date="))
        if (since and when < since) or (until and when > until):
            continue
        if not (cache / day / name).exists():
            missing.append((f"{address.rstrip('/')}/{key}", cache / day / name))
    bucket.fetch(missing)
    return cache
