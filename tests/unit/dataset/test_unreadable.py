"""A folder that cannot be read is named; what lies in it is never left out without a word."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from patchae.dataset.capturing import capture
from patchae.dataset.importing import import_folder
from patchae.dataset.layout import images
from patchae.dataset.restoring import pull
from patchae.dataset.validation.strays import strays
from patchae.dataset.version import snapshot
from patchae.errors import DataError
from patchae.project import Project
from patchae.steps.sources import listed
from tests.support import write_class, write_image

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Have the system refuse to list a folder, as it does to all but root without permission."""
    closed: set[str] = set()

    def refusing(really: Callable[..., Any]) -> Callable[..., Any]:
        def ask(path: Any = ".") -> Any:
            if str(path) in closed:
                raise PermissionError(13, "Permission denied", str(path))
            return really(path)

        return ask

    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    monkeypatch.setattr(os, "listdir", refusing(os.listdir))
    return lambda folder: closed.add(str(folder))


def refused(folder: Path, step: Callable[[], object]) -> None:
    """A step ends with the name of a folder."""
    with pytest.raises(DataError, match="a folder cannot be read: Permission denied") as caught:
        step()
    assert caught.value.where == str(folder)


def test_an_unreadable_folder_stops_whoever_scores_a_folder(
    tmp_path: Path, close: Callable[[Path], None]
) -> None:
    write_image(tmp_path / "new" / "a.png", 1)
    write_image(tmp_path / "new" / "night" / "b.png", 2)
    assert [item.name for item in listed(str(tmp_path / "new"))] == ["a.png", "night/b.png"]
    close(tmp_path / "new" / "night")
    refused(tmp_path / "new" / "night", lambda: list(listed(str(tmp_path / "new"))))


@pytest.mark.parametrize("closed", ["bolt", "bolt/test", "bolt/test/hole"])
def test_an_unreadable_folder_of_data_stops_whoever_reads_data(
    project: Project, close: Callable[[Path], None], closed: str
) -> None:
    write_class(project.data, "bolt", train_good=2, test_good=1, test_defect=1)
    version = snapshot(project).version
    folder = project.data / closed
    close(folder)
    refused(folder, lambda: snapshot(project))
    refused(folder, lambda: pull(project, version))
    refused(folder, lambda: images(project.data, "bolt"))
    refused(folder, lambda: strays(project.data, "bolt", ()))


@pytest.mark.parametrize("closed", ["nut/test/hole", "nut/notes", "nut"])
def test_an_unreadable_folder_of_a_source_stops_an_import(
    project: Project, tmp_path: Path, close: Callable[[Path], None], closed: str
) -> None:
    write_class(tmp_path / "source", "nut", train_good=2, test_good=1, test_defect=1)
    folder = tmp_path / "source" / closed
    folder.mkdir(exist_ok=True)
    close(folder)
    refused(folder, lambda: import_folder(project, tmp_path / "source"))
    assert not (project.data / "nut").exists()


def test_an_unreadable_folder_of_a_drop_folder_stops_a_capture(
    project: Project, tmp_path: Path, close: Callable[[Path], None]
) -> None:
    write_class(project.data, "bolt", train_good=2, test_good=1, test_defect=1)
    write_image(tmp_path / "drop" / "monday" / "a.png", 70)
    close(tmp_path / "drop" / "monday")
    refused(tmp_path / "drop" / "monday", lambda: capture(project, "bolt", tmp_path / "drop"))
