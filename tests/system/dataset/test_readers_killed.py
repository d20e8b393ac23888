"""A reader that is killed holds nobody up."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from patchae.dataset.readers import changing
from patchae.errors import StoreBusy
from patchae.project import Project

READER = """
import sys
from pathlib import Path
from patchae.dataset.readers import reading
from patchae.project import Project

with reading(Project(Path(sys.argv[1])), ["bolt"]):
    print("reading", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_reader_had_is_free(project: Project) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(project.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        with pytest.raises(StoreBusy, match=f"process {reader.pid} "), changing(project, ["bolt"]):
            pass
        reader.kill()
        assert reader.wait() == -signal.SIGKILL
    with changing(project, None):
        pass
    assert not list((project.state / "locks/readers").iterdir())
