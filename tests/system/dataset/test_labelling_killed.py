"""Labels whose writing is killed are there once when it is run again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.dataset.labelling import LOG, Labelled, bring_back
from patchae.dataset.layout import images
from patchae.project import Project
from tests.support import write_class, write_image


@pytest.fixture
def project(tmp_path: Path) -> Project:
    write_class(tmp_path / "data", "cap")
    return Project(tmp_path)


def back(project: Project, label: str, *files: Path, dry_run: bool = False) -> Labelled:
    """Bring images back."""
    return bring_back(project, "cap", files, label, actor="ann", dry_run=dry_run)


def written(folder: Path, count: int, start: int = 5_000_000) -> list[Path]:
    """New images."""
    for number in range(count):
        write_image(folder / f"part {number}.png", start + number)
    return sorted(folder.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from patchae.dataset.labelling import bring_back
from patchae.project import Project

real = Path.replace

def once(self, target):
    real(self, target)
    os.kill(os.getpid(), signal.SIGKILL)

Path.replace = once
files = [Path(name) for name in sys.argv[2:]]
bring_back(Project(Path(sys.argv[1])), "cap", files, "dent", actor="ann")
"""


@pytest.mark.parametrize("torn", [0, 30])
def test_after_a_kill_the_same_call_leaves_every_statement_once(
    project: Project, torn: int
) -> None:
    files = written(project.root / "new", 3)
    command = [sys.executable, "-c", KILLED, str(project.root), *map(str, files)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    log = project.root / LOG
    log.write_text(log.read_text()[: -torn or None])  # as a disk without power may leave it
    done = back(project, "dent", *files)
    assert (len(done.new), len(done.known)) == (2, 1)
    whole = [line for line in log.read_text().splitlines() if line.endswith("}")]
    rows = [json.loads(line)["path"] for line in whole]
    assert len(rows) == len(set(rows))
    assert set(rows) >= set(done.new)
    if not torn:
        assert {image.path for image in images(project.data, "cap") if image.defect == "dent"} == {
            *rows
        }
