"""Whose files are: the umask says it, of all that patchae makes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchae.dataset.picture_cache import PictureCache
from patchae.files import folder_in_one_step, touch, write_json, write_text
from patchae.project import Project
from patchae.registry.ledger import Ledger


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _text(project: Project) -> None:
    write_text(project.state / "text", "x")
    write_text(project.state / "text", "y")  # in the place of the first


def _folder(project: Project) -> None:
    with folder_in_one_step(project.state / "folder") as folder:
        write_json(folder / "value.json", {})


def _lock(project: Project) -> None:
    with project.lock("anything"), project.using("something"):
        pass


def _ledger(project: Project) -> None:
    with Ledger.of(project).transaction():
        pass


def _pictures(project: Project) -> None:
    PictureCache(project.pictures).close()


def _empty(project: Project) -> None:
    project.state.mkdir()
    touch(project.state / "empty")


MAKES: dict[str, Callable[[Project], None]] = {
    "a text": _text,
    "a folder": _folder,
    "locks": _lock,
    "the ledger": _ledger,
    "the cache of pictures": _pictures,
    "an empty file": _empty,
}


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o027, 0o077])
@pytest.mark.parametrize("what", MAKES)
def test_every_new_file_is_as_the_umask_says(project: Project, what: str, mask: int) -> None:
    with _umask(mask):
        MAKES[what](project)
    made = [path for path in project.state.rglob("*") if path.is_file()]
    assert made
    for path in made:
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path
    for path in (project.state, *project.state.rglob("*")):
        if path.is_dir():
            assert path.stat().st_mode & 0o777 == 0o777 & ~mask, path


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    file.chmod(0o400)
    touch(file)
    assert file.read_text() == "kept"
    assert file.stat().st_mode & 0o777 == 0o400
