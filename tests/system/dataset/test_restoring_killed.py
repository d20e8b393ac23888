"""A checkout that is killed at any moment can be run again, and pins no mixture."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from patchae.dataset.restoring import pull
from patchae.dataset.version import snapshot
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
