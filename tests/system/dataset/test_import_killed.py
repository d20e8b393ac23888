"""An import that is killed ends well when it is run again."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.dataset.importing import import_folder
from patchae.dataset.layout import present_classes
from patchae.project import Project
from tests.support import write_class

Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    """Every file under a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two small classes outside of the project."""
    folder = tmp_path / "camera"
    for seed, name in enumerate(("bolt", "washer")):
        write_class(folder, name, train_good=3, test_good=2, test_defect=2, seed=seed)
    return folder


KILLED = """
import os, signal, sys
from pathlib import Path
from patchae.dataset.importing import import_folder
from patchae.project import Project

def progress(what, done, total):
    if what == "copying" and done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

import_folder(Project(Path(sys.argv[1])), Path(sys.argv[2]), progress=progress)
"""


@pytest.mark.parametrize("copied", [1, 10, 18])
def test_after_a_kill_the_same_import_ends_well(
    project: Project, source: Path, copied: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(project.root), str(source), str(copied)]
    ended = subprocess.run(command, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert present_classes(project.data) == []
    assert import_folder(project, source).classes == ("bolt", "washer")
    assert tree(project.data) == tree(source)
