"""A proxy of the company is named, and nothing says what is not to be asked through it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from patchae.project import Project
from tests.support.tls import door

ROOT = Path(__file__).parents[3]
_CONNECTS = """
from patchae.cli.output import here
project = here()
from flows.engine import reach_prefect
from patchae.registry.tracking import Tracking
reach_prefect()
Tracking.open(project)
"""


def test_the_server_that_prefect_starts_here_is_never_asked_through_it(project: Project) -> None:
    bare = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with door() as (proxy, counted):
        done = subprocess.run(
            [sys.executable, "-c", _CONNECTS],
            cwd=project.root,
            env=bare | {"PYTHONPATH": str(ROOT), "HTTP_PROXY": proxy, "ALL_PROXY": proxy},
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
    assert done.returncode == 0, done.stderr
    assert [line for line in counted.asked if "127.0.0.1" in line or "localhost" in line] == []
