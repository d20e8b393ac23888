"""Some of the images that were judged, kept for whoever looks for drift."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import datetime
from pathlib import Path

from patchae.files import write_bytes

_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"BM": ".bmp"}
_log = logging.getLogger("patchae.serving")


class Keeper:
    """Keeps every `nth` image of a model, and of one day no more than `most`.

    Files lie under `<root>/<model>/<YYYY-MM-DD>/<sha256><suffix>`.
    """

    def __init__(self, root: Path, nth: int, most: int) -> None:
        self._root, self._nth, self._most = root, nth, most
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def offer(self, model: str, sha256: str, content: bytes, when: datetime) -> None:
        """Keep an image if it is its turn; what goes wrong is said, and stops no answer."""
        with self._lock:
            turn = self._seen[model] % self._nth == 0
            self._seen[model] += 1
        if not turn:
            return
        folder = self._root / model / when.date().isoformat()
        try:
            if folder.is_dir() and sum(1 for _ in folder.iterdir()) >= self._most:
                return
            write_bytes(folder / f"{sha256}{suffix_of(content)}", content)
        except OSError as error:
            _log.warning("an image could not be kept: %s", error)


def suffix_of(content: bytes) -> str:
    """The ending of a file, by its first bytes."""
    for begins, suffix in _SUFFIXES.items():
        if content.startswith(begins):
            return suffix
    return ".tiff"
