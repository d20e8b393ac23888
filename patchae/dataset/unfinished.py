"""Pulls that have begun and not ended: until they do, `data/` may be a mixture of two versions.

`.patchae/pulling.json` names them. It is written before the first file of `data/` is touched, and
goes once all are right and pinned, so that a `kill -9` in between is known to whoever comes next.
Law: a version that is pinned was never put together by a pull that did not end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from patchae.dataset.pin import read_pin
from patchae.errors import DataError
from patchae.files import write_json
from patchae.project import Project
from patchae.types import DataVersion


class _Pull(NamedTuple):
    version: str
    classes: list[str] | None  # None: all of them

    def covers(self, other: _Pull) -> bool:
        """Whether nothing of the other is left in `data/` once this one has ended."""
        if self.classes is None or other.classes is None:
            return self.classes is None
        return set(other.classes) <= set(self.classes)


@contextmanager
def pulling(
    project: Project, version: DataVersion, classes: Sequence[str] | None
) -> Iterator[None]:
    """For the block in which a pull writes; what does not end well stays noted.

    The caller holds the project's lock `data`.
    """
    file, own = _file(project), _Pull(version, sorted(classes) if classes is not None else None)
    others = [one for one in _noted(file) if not own.covers(one)]
    write_json(file, [*others, own])
    yield
    if others:
        write_json(file, others)
    else:
        file.unlink()


def unfinished(project: Project) -> bool:
    """Whether a pull has begun and not ended."""
    return bool(_noted(_file(project)))


def require_finished(project: Project) -> None:
    """Let nobody build on `data/` before a pull that was cut off has been finished.

    Raises:
        DataError: a pull has begun and not ended; it says how to finish it.
    """
    file = _file(project)
    if not (noted := _noted(file)):
        return
    last = noted[-1]
    words = ["patchae pull"]
    if last.version != read_pin(project.data_dvc):
        words.append(last.version[:8])
    words += [f"--class {name}" for name in last.classes or ()]
    raise DataError(
        "a pull was not finished, and data/ may be a mixture of two versions",
        where=str(file),
        mend=f"finish it: {' '.join(words)}; or remove this file, to go on with data/ as it is",
    )


def _file(project: Project) -> Path:
    return project.state / "pulling.json"


def _noted(file: Path) -> list[_Pull]:
    """The pulls, in the order in which they began."""
    try:
        return [_Pull(version, classes) for version, classes in json.loads(file.read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError):  # not as it was written: which one it was, nobody knows
        return [_Pull("VERSION", None)]
