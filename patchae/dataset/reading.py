"""Many image files, read side by side and in order; those that were read before are not decoded.

Pillow and hashlib let go of Python's lock while they work, yet what remains of Python between two
images keeps threads of one process waiting for one another. So many images are read by processes,
and few, for which starting processes would take longer, by threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from patchae.dataset.picture import Picture, content_of, picture_of
from patchae.dataset.picture_cache import PictureCache, Task, open_cache, signature_of
from patchae.errors import DataError
from patchae.files import Progress, sha256_bytes, silent

File = tuple[str, bool]
"""An absolute path, and whether it is a mask."""
MANY = 1_000
"""From so many unread files on, processes read them."""
_CHUNK = 32


def read_pictures(
    files: Sequence[File],
    *,
    cache: Path | None = None,
    progress: Progress = silent,
    what: str = "reading",
) -> Iterator[Picture]:
    """Read files of one folder; their pictures, in their order, each as soon as it is there.

    Args:
        files: the files; each is one that exists.
        cache: where to remember what was read; see `patchae.dataset.picture_cache`.
        progress: called with `what` after every few files.
        what: names the work.

    Raises:
        DataError: a file cannot be read at all, for example because it has just disappeared.
    """
    known: dict[File, Picture] = {}
    with open_cache(cache) as opened:
        unread = list(_unread(files, opened, known))
        read = _read_all(unread, cache, opened)
        for done, file in enumerate(files):
            if done % _CHUNK == 0:
                progress(what, done, len(files))
            yield known.get(file) or next(read)
        progress(what, len(files), len(files))


def _read_all(
    unread: Sequence[Task], cache: Path | None, opened: PictureCache | None
) -> Iterator[Picture]:
    for chunk in _side_by_side(unread, cache):
        if opened:
            opened.add(chunk)
        yield from (picture for _, picture in chunk)


def _unread(
    files: Sequence[File], cache: PictureCache | None, found: dict[File, Picture]
) -> Iterator[Task]:
    """The files that are not what the cache knows; the others are put into `found`."""
    parents = {os.path.dirname(path) for path, _ in files}  # noqa: PTH120 - text is far quicker
    folder = Path(os.path.commonpath(parents)) if parents else Path()
    seen = cache.seen(folder) if cache else {}
    for path, as_mask in files:
        try:
            signature = signature_of(path)
        except OSError as error:
            raise DataError(
                f"an image cannot be read: {error.strerror}",
                where=path,
                mend="let whatever changes these files finish, then run the command again",
            ) from None
        before, pictures = seen.get(path, (None, {}))
        if before == signature and as_mask in pictures:
            found[path, as_mask] = pictures[as_mask]
        else:
            yield path, as_mask, signature


def _side_by_side(
    unread: Sequence[Task], cache: Path | None
) -> Iterator[list[tuple[Task, Picture]]]:
    """Chunks of tasks with their pictures, in order, each as soon as it is there."""
    if not unread:
        return
    from joblib import Parallel, cpu_count, delayed

    chunks = [unread[start : start + _CHUNK] for start in range(0, len(unread), _CHUNK)]
    side_by_side = Parallel(
        n_jobs=min(cpu_count(), len(chunks)),
        backend="loky" if len(unread) >= MANY else "threading",
        return_as="generator",
        batch_size=1,
    )
    yield from side_by_side(delayed(_read)(chunk, cache) for chunk in chunks)


def _read(tasks: Sequence[Task], cache: Path | None) -> list[tuple[Task, Picture]]:
    with open_cache(cache) as opened:
        return [(task, _read_one(task, opened)) for task in tasks]


def _read_one(task: Task, cache: PictureCache | None) -> Picture:
    path, as_mask, _ = task
    content = content_of(Path(path))
    known = cache.known(sha256_bytes(content), as_mask) if cache else None
    return known or picture_of(content, as_mask=as_mask)
