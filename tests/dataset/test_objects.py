"""Single objects of a store, looked at without keeping them."""

from __future__ import annotations

import hashlib
import io
import threading
import tracemalloc
from types import SimpleNamespace

from patchae.dataset.objects import states

SIZE = 1_000_000


class Slow:
    """A file system whose first object comes last, when it is seen what the others have left."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.first = next(iter(contents))
        self.read = threading.Semaphore(0)
        self.held = 0

    def open(self, name: str, _: str) -> io.BytesIO:
        """Open an object; the first one waits for all others."""
        if name == self.first:
            for _ in range(len(self.contents) - 8):
                self.read.acquire(timeout=60)
            self.held = tracemalloc.get_traced_memory()[0]
        else:
            self.read.release()
        return io.BytesIO(self.contents[name] * SIZE)


def test_no_content_is_kept_until_its_turn() -> None:
    contents = {}
    for number in range(64):
        letter = bytes([number])
        contents[hashlib.md5(letter * SIZE, usedforsecurity=False).hexdigest()] = letter
    slow = Slow(contents)
    tracemalloc.start()
    try:
        found = states(SimpleNamespace(fs=slow, oid_to_path=str), contents)
    finally:
        tracemalloc.stop()
    assert set(found.values()) == {"whole"}
    assert list(found) == list(contents)
    assert slow.held < 25 * SIZE, "8 readers hold one each, and a copy"
