"""Single objects of a store, looked at without keeping them."""

from __future__ import annotations

import hashlib
import io
import threading
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

from patchae.dataset.objects import states
from patchae.dataset.version import snapshot, stored_states
from patchae.project import Project
from tests.support import write_class

SIZE = 1_000_000
ONE = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f89"
    "55ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5b"
    "d8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70"
)
OTHER = bytes(byte ^ 0x80 * (at in (19, 45, 59, 83, 109, 123)) for at, byte in enumerate(ONE))
"""Two contents of one md5 (Wang and Yu, 2005)."""


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


def test_another_content_of_the_same_md5_is_damaged(tmp_path: Path) -> None:
    """Whoever can write the store could exchange an image for one that was made to fit."""
    project = Project(tmp_path)
    write_class(project.data, "bolt", train_good=4, test_good=2, test_defect=2)
    (project.data / "bolt/train/good/000.png").write_bytes(ONE)
    snapshot(project)
    md5, sha256 = (getattr(hashlib, name)(ONE).hexdigest() for name in ("md5", "sha256"))
    assert stored_states(project, [md5], sha256={md5: sha256}) == {md5: "whole"}
    for file in tmp_path.rglob(md5[2:]):
        file.chmod(0o644)
        file.write_bytes(OTHER)
    assert stored_states(project, [md5]) == {md5: "whole"}
    assert stored_states(project, [md5], sha256={md5: sha256}) == {md5: "damaged"}
