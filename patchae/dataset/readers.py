"""Who reads the images of which classes, so that nobody changes them meanwhile.

A reader leaves a note of its process and keeps it locked. The operating system frees that lock when
the process dies, by `kill -9` too; whoever looks next removes the note. Notes are made and looked
at under the project's lock `data`, which whoever changes images holds to the end of the change: so
a reader never begins within a change, nor a change while somebody reads.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from patchae.errors import StoreBusy
from patchae.files import MODE, write_whole
from patchae.holders import sentence, signature
from patchae.project import Project

_READ: list[tuple[Path, frozenset[str]]] = []
"""What this process reads: the state of a project, and classes."""


@contextmanager
def reading(project: Project, classes: Sequence[str]) -> Iterator[None]:
    """Have the images of some classes stay as they are until the block ends.

    Any number of readers may be at it at the same time.

    Raises:
        StoreBusy: another process changes images for too long.
    """
    folder, own = _folder(project), (project.state.absolute(), frozenset(classes))
    if any(state == own[0] and own[1] <= names for state, names in _READ):
        yield  # within a block that has them: no need to wait for a lock that others hold long
        return
    folder.mkdir(parents=True, exist_ok=True)
    with project.lock("data"):
        path = folder / f"{os.getpid()}-{uuid4().hex}.json"
        note = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE)
        fcntl.flock(note, fcntl.LOCK_EX)
        write_whole(note, json.dumps(signature() | {"classes": sorted(classes)}).encode())
    _READ.append(own)
    try:
        yield
    finally:
        _READ.remove(own)
        path.unlink(missing_ok=True)
        os.close(note)


@contextmanager
def changing(project: Project, classes: Sequence[str] | None) -> Iterator[None]:
    """Hold the lock `data` for a change to the images of some classes; None: of all.

    Raises:
        StoreBusy: somebody reads them, which is said at once; or another process changes images
            for too long.
    """
    require_unread(project, classes)
    with project.lock("data"):
        require_unread(project, classes)
        yield


def require_unread(project: Project, classes: Sequence[str] | None) -> None:
    """Let nobody change images that somebody reads.

    Raises:
        StoreBusy: it names who reads which class.
    """
    for text in _notes(project):
        try:
            read = set(json.loads(text)["classes"])
        except (ValueError, TypeError, KeyError):  # still being written
            continue
        if both := sorted(read if classes is None else read & set(classes)):
            raise StoreBusy(
                f"the images of {', '.join(both)} are being read by {sentence(text)};"
                " nothing was changed",
                where=str(project.data),
                mend="run the command again when that has ended",
            )


def _notes(project: Project) -> Iterator[str]:
    """What living readers have noted; the notes of dead ones go."""
    for path in sorted(_folder(project).glob("*.json")):
        with suppress(FileNotFoundError), path.open("rb") as note:
            try:
                fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield note.read().decode(errors="replace")
            else:
                if note.read():  # an empty one is about to be locked by its reader
                    path.unlink()


def _folder(project: Project) -> Path:
    return project.state / "locks" / "readers"
