"""Bringing a version back although something was killed, or although a folder is a link."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
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
from tests.support import DYING, write_class, write_image

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


TOUCHED = (
    DYING
    + """
import itertools, json
from pathlib import Path
from patchae.dataset.restoring import pull
from patchae.dataset.version import snapshot
from patchae.errors import DataError
from patchae.files import digests_of
from patchae.project import Project

TOUCHES = {"os.rename", "os.remove", "shutil.rmtree"}
project, first, second = Project(Path(sys.argv[1])), sys.argv[2], sys.argv[3]

for n in itertools.count():
    pull(project, second)
    child = os.fork()
    if child == 0:
        die_at(n, TOUCHES, lambda: pull(project, first))
    _, status = os.waitpid(child, 0)
    try:
        now = snapshot(project).version
        said = None
    except DataError as error:
        said, now = str(error), None
        pull(project, first)
        snapshot(project)
    print(json.dumps([os.WTERMSIG(status), now, said]), flush=True)
    if not os.WIFSIGNALED(status):
        break
"""
)


def test_a_pull_killed_at_any_touch_of_the_disk_never_leaves_a_mixture_to_be_pinned(
    project: Project, version: DataVersion
) -> None:
    (project.data / "bolt/test/good/000.png").unlink()
    write_image(project.data / "bolt/train/good/new.png", 5_000)
    write_image(project.data / "bolt/train/good/002.png", 5_001)
    second = snapshot(project).version
    done = subprocess.run(
        [sys.executable, "-c", TOUCHED, str(project.root), version, second],
        capture_output=True,
        text=True,
        check=True,
    )
    deaths = [json.loads(line) for line in done.stdout.splitlines()]
    assert {now for _, now, _ in deaths} == {version, second, None}
    said = {text.rpartition("finish it: ")[2].partition(";")[0] for _, _, text in deaths if text}
    assert said == {f"patchae pull {version[:8]}", "patchae pull"}, "the latter once it is pinned"
    assert deaths[-1][:2] == [0, version]


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
