"""Many image files, read side by side and in order; those that were read before are not decoded.

Pillow and hashlib let go of Python's lock while they work, yet what remains of Python between two
images keeps threads of one process waiting for one another. So many images are read by processes,
and few, for which starting processes would take longer, by threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from patchae.dataset.layout import ImageFile
from patchae.dataset.picture import TOO_MANY_PIXELS, Picture, content_of, picture_of
from patchae.dataset.picture_cache import (
    PictureCache,
    Task,
    Values,
    open_cache,
    picture_from,
    signature_of,
    values_of,
)
from patchae.errors import DataError
from patchae.files import Progress, sha256_bytes, silent
from patchae.images import MAX_PIXELS
from patchae.project import Project

File = tuple[str, bool]
"""An absolute path, and whether it is a mask."""
MANY = 1_000
"""From so many unread files on, processes read them."""
_WIDTH, _HEIGHT, _PROBLEM = (Picture._fields.index(it) for it in ("width", "height", "problem"))
_CHUNK_FILES, _CHUNK_BYTES = 128, 8_000_000
"""What is read at a time: a question to the cache and an answer to the main process cost little
beside many small files, and a few large ones take a while by themselves."""
_TOLD = 32
"""Progress is told after so many files."""


def read_pictures(
    files: Sequence[File],
    *,
    cache: Path | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
    what: str = "reading",
) -> Iterator[Picture]:
    """Read files of one folder; their pictures, in their order, each as soon as it is there.

    Args:
        files: the files; each is one that exists.
        cache: where to remember what was read; see `patchae.dataset.picture_cache`.
        max_pixels: width times height above which an image is not decoded.
        progress: called with `what` after every few files.
        what: names the work.

    Raises:
        DataError: a file cannot be read at all, for example because it has just disappeared.
    """
    known: dict[File, Values] = {}
    with open_cache(cache) as opened:
        unread = list(_unread(files, opened, known, max_pixels))
        read = _read_all(unread, cache, opened, max_pixels)
        for done, file in enumerate(files):
            if done % _TOLD == 0:
                progress(what, done, len(files))
            yield picture_from(known.get(file) or next(read))
        progress(what, len(files), len(files))


def pictures_of(
    project: Project, images: Sequence[ImageFile], max_pixels: int, progress: Progress = silent
) -> list[Picture]:
    """Return what the images of a class are like, in their order; see `read_pictures`."""
    files = [(str(project.data / image.path), False) for image in images]
    return list(
        read_pictures(
            files,
            cache=project.pictures,
            max_pixels=max_pixels,
            progress=progress,
            what="looking at the class",
        )
    )


def _read_all(
    unread: Sequence[Task], cache: Path | None, opened: PictureCache | None, max_pixels: int
) -> Iterator[Values]:
    for chunk in _side_by_side(unread, cache, max_pixels):
        if opened:  # a limit may be raised: what it says is not remembered
            opened.add(read for read in chunk if not _is_too_large(read[1]))
        yield from (values for _, values in chunk)


def _unread(
    files: Sequence[File], cache: PictureCache | None, found: dict[File, Values], max_pixels: int
) -> Iterator[Task]:
    """The files that are not what the cache knows; the others are put into `found`."""
    parents = {path.rpartition(os.sep)[0] for path, _ in files}  # text is far quicker than a Path
    folder = Path(os.path.commonpath(parents)) if parents else Path()
    seen = cache.seen(folder) if cache else {}
    for file in files:
        path, as_mask = file
        try:
            signature = signature_of(path)
        except OSError as error:
            raise DataError(
                f"an image cannot be read: {error.strerror}",
                where=path,
                mend="let whatever changes these files finish, then run the command again",
            ) from None
        before = seen.get(file)
        if before and before[0] == signature and _pixels(before[1]) <= max_pixels:
            found[file] = before[1]
        else:
            yield path, as_mask, signature


def _side_by_side(
    unread: Sequence[Task], cache: Path | None, max_pixels: int
) -> Iterator[list[tuple[Task, Values]]]:
    """Chunks of tasks with their pictures as rows, in order, each as soon as it is there."""
    if not unread:
        return
    from joblib import Parallel, cpu_count, delayed

    chunks = list(_chunks(unread))
    side_by_side = Parallel(
        n_jobs=min(cpu_count(), len(chunks)),
        backend="loky" if len(unread) >= MANY else "threading",
        return_as="generator",
        batch_size=1,
    )
    read = side_by_side(delayed(_read)(chunk, cache, max_pixels) for chunk in chunks)
    for chunk, values in zip(chunks, read, strict=True):
        yield list(zip(chunk, values, strict=True))


def _chunks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    chunk: list[Task] = []
    size = 0
    for task in tasks:
        chunk.append(task)
        size += task[2][0]
        if len(chunk) >= _CHUNK_FILES or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read(tasks: Sequence[Task], cache: Path | None, max_pixels: int) -> list[Values]:
    contents = [content_of(Path(path)) for path, _, _ in tasks]
    names = [
        (sha256_bytes(content), task[1]) for content, task in zip(contents, tasks, strict=True)
    ]
    with open_cache(cache) as opened:
        known = opened.known(names) if opened else {}
    known = {name: values for name, values in known.items() if _pixels(values) <= max_pixels}
    return [
        known.get(name)
        or values_of(picture_of(content, sha256=name[0], as_mask=name[1], max_pixels=max_pixels))
        for name, content in zip(names, contents, strict=True)
    ]


def _pixels(values: Values) -> int:
    return int(values[_WIDTH] * values[_HEIGHT])


def _is_too_large(values: Values) -> bool:
    return str(values[_PROBLEM] or "").startswith(TOO_MANY_PIXELS)
