"""A snapshot that is killed ends in the same version when it is run again."""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.dataset.version import listing, snapshot, stored
from patchae.errors import StoreBusy
from patchae.project import Project
from tests.support import write_class, write_image

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


@pytest.fixture
def plant(project: Project) -> Project:
    """A project with the images of one class."""
    write_class(project.data, "bolt", train_good=4, test_good=2, test_defect=2)
    return project


def test_a_lock_that_another_dvc_holds_is_waited_for_and_named(
    plant: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot(plant)
    monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0")
    with (plant.root / ".dvc/tmp/lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as a running `dvc push` holds it
        with pytest.raises(StoreBusy, match="another DVC process"):
            snapshot(plant)
    assert not snapshot(plant).changed


KILLED = """
import os, signal, sys
from pathlib import Path
from patchae.dataset.version import snapshot
from patchae.project import Project

def progress(what, done, total):
    if what == sys.argv[2] and done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

snapshot(Project(Path(sys.argv[1])), progress=progress)
"""


@pytest.mark.parametrize(
    ("what", "done"),
    [("hashing images", 3), ("copying new images", 2), ("pushing new images", 5)],
)
def test_after_a_kill_the_same_snapshot_ends_in_the_same_version(
    plant: Project, tmp_path: Path, what: str, done: int
) -> None:
    other = Project(tmp_path / "elsewhere")
    shutil.copytree(plant.data, other.data)
    command = [sys.executable, "-c", KILLED, str(plant.root), what, str(done)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not plant.data_dvc.exists()
    write_image(plant.data / ".import/half/train/good/000.png", 1)  # a killed import
    version = snapshot(plant).version
    assert version == snapshot(other).version
    names = [*listing(plant, version).values(), version]
    assert stored(plant, names) == set(names)
