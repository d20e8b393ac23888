"""A restore that is killed at any touch of the disk: nothing is there, or the whole project."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchae.backup.write import back_up
from tests.support import DYING, clean
from tests.support.retention.shop import Shop

ROOT = Path(__file__).parents[3]
STEPS = 8
"""Deaths, spread over all touches of the disk."""
SCRIPT = (
    DYING
    + """
import shutil
from pathlib import Path

from patchae.backup.restore import restore
from patchae.project import Project
from patchae.registry.agreement import disagreements
from patchae.registry.relocate import relocate

TOUCHES = ("open", "os.rename", "os.mkdir", "os.utime", "shutil.rmtree", "sqlite3.connect")
archive, folder, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def in_a_child(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]

def count():
    touches = 0
    def touched(event, arguments):
        nonlocal touches
        touches += event in TOUCHES
    sys.addaudithook(touched)
    restore(archive, folder)
    (folder.parent / "count").write_text(str(touches))

def go_on():
    project = Project(folder)
    if folder.exists():
        relocate(project)
    else:
        restore(archive, folder)
    assert disagreements(project) == []

assert in_a_child(count) == 0
shutil.rmtree(folder)
total = int((folder.parent / "count").read_text())
for left in range(0, total, max(1, total // steps)):
    killed = in_a_child(lambda: die_at(left, TOUCHES, lambda: restore(archive, folder)))
    there = folder.exists()
    print(left, killed, there, in_a_child(go_on), flush=True)
    shutil.rmtree(folder)
"""
)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Path]:
    """A backup of a project without images, with a champion."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        shop = Shop(tmp_path / "plant")
        shop.champion()
        yield back_up(shop.project, tmp_path / "plant.tar").file


def test_a_restore_that_is_killed_is_as_before_or_whole(archive: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, archive, tmp_path / "again", str(STEPS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    deaths = [line.split() for line in done.stdout.splitlines()]
    assert len(deaths) >= STEPS
    assert {killed for _, killed, _, _ in deaths} == {"9"}
    assert {state for *_, state in deaths} == {"0"}, done.stderr
    assert "False" in {there for _, _, there, _ in deaths}
