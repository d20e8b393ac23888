"""Bringing a version back although something was killed, or although a folder is a link."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.dataset.restoring import pull
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


KILLED = """
import os, signal, sys
from pathlib import Path
from patchae.dataset import dvc_sides
from patchae.dataset.restoring import pull
from patchae.project import Project

def half(source, target):
    content = Path(source).read_bytes()
    Path(target).write_bytes(content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

dvc_sides.shutil.copyfile = half
pull(Project(Path(sys.argv[1])), sys.argv[2])
"""


def test_a_pull_that_is_killed_while_it_writes_can_be_run_again(
    project: Project, version: DataVersion
) -> None:
    command = [sys.executable, "-c", KILLED, str(project.root), version]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    done = pull(project, version)
    assert (done.written, done.removed) == (2, 0)
    assert not (project.data / ".import").exists()
    assert snapshot(project).version == version


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
