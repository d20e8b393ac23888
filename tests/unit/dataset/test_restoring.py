"""Bringing a version back although something was killed, or although a folder is a link."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from patchae.dataset.capturing import capture
from patchae.dataset.importing import import_folder
from patchae.dataset.labelling import bring_back
from patchae.dataset.restoring import pull
from patchae.dataset.unfinished import pulling
from patchae.dataset.version import snapshot
from patchae.errors import DataError
from patchae.files import digests_of
from patchae.project import Project
from patchae.types import DataVersion
from tests.support import write_class, write_image

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


@pytest.fixture
def version(project: Project) -> DataVersion:
    """A version of one class; two of its images are not in `data/` any more."""
    write_class(project.data, "bolt", train_good=4, test_good=2, test_defect=2)
    made = snapshot(project).version
    for name in ("000.png", "001.png"):
        (project.data / "bolt/train/good" / name).unlink()
    return made


def test_while_a_pull_is_not_finished_nothing_else_changes_data(
    project: Project, version: DataVersion, tmp_path: Path
) -> None:
    write_class(tmp_path / "source", "nut", train_good=2, test_good=1, test_defect=1)
    write_image(tmp_path / "drop" / "a.png", 5_000)
    with pulling(project, version, ["nut"]):
        pass  # one that ends leaves nothing
    with suppress(KeyboardInterrupt), pulling(project, version, ["bolt"]):
        raise KeyboardInterrupt
    for step in (
        lambda: snapshot(project),
        lambda: capture(project, "bolt", tmp_path / "drop"),
        lambda: import_folder(project, tmp_path / "source"),
        lambda: bring_back(project, "bolt", [tmp_path / "drop/a.png"], "dent", actor="ann"),
    ):
        with pytest.raises(DataError, match="was not finished") as caught:
            step()
        assert str(caught.value.mend).startswith("finish it: patchae pull --class bolt;")
    own = project.data / "bolt/train/good/own.png"
    write_image(own, 5_001)
    with pytest.raises(DataError, match="would be lost") as caught:
        pull(project, version, ["bolt"])
    assert "snapshot" not in str(caught.value.mend), "that would be refused"
    own.unlink()
    pull(project, version, ["bolt"])
    assert snapshot(project).version == version


def test_a_pull_of_one_class_does_not_finish_that_of_another(
    project: Project, version: DataVersion
) -> None:
    write_class(project.data, "nut", train_good=2, test_good=1, test_defect=1, seed=1)
    both = snapshot(project).version
    with suppress(KeyboardInterrupt), pulling(project, both, ["bolt"]):
        raise KeyboardInterrupt
    pull(project, both, ["nut"])
    with pytest.raises(DataError, match="was not finished"):
        snapshot(project)
    pull(project, version)
    assert snapshot(project).version == version, "a whole version leaves nothing of any other"


def test_what_a_killed_import_has_left_does_not_stand_in_the_way(
    project: Project, version: DataVersion
) -> None:
    write_image(project.data / ".import/nut/train/good/000.png", 5_000)
    assert pull(project, version).written == 2
    assert snapshot(project).version == version


@pytest.mark.parametrize("link", ["nut", "bolt/test/dent"])
def test_a_linked_folder_of_data_is_named_and_nothing_behind_it_is_touched(
    project: Project, version: DataVersion, tmp_path: Path, link: str
) -> None:
    behind = tmp_path / "nas"
    write_class(behind, "nut", train_good=2, test_good=1, test_defect=1)
    (project.data / link).symlink_to(behind / "nut")
    before = digests_of(behind)
    for step in (lambda: snapshot(project), lambda: pull(project, version)):
        with pytest.raises(DataError, match="is a link") as caught:
            step()
        assert caught.value.where == str(project.data / link)
    assert digests_of(behind) == before
