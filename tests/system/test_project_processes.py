"""A project's locks and environment, seen from other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.errors import StoreBusy
from patchae.project import Project


def _environment_after(project: Project, **given: str) -> dict[str, str]:
    """What `prepare_environment` makes of a bare environment, seen from inside a process."""
    code = (
        "import os, pathlib, sys; from patchae.project import Project, prepare_environment\n"
        "prepare_environment(Project(pathlib.Path(sys.argv[1])))\n"
        "print('\\0'.join(f'{k}={v}' for k, v in os.environ.items()))"
    )
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code, str(project.root)],
        env={**bare, **given}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(pair.split("=", 1) for pair in done.stdout.rstrip("\n").split("\0"))


def test_telemetry_is_off_and_the_state_ignores_itself_in_git(project: Project) -> None:
    (project.root / ".gitignore").unlink()
    after = _environment_after(project)
    assert after["DO_NOT_TRACK"] == "1"
    assert after["GX_ANALYTICS_ENABLED"] == after["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert after["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert Path(after["PREFECT_HOME"]).is_dir()
    (project.state / "ledger.db").write_text("secret")
    status = ["git", "status", "--porcelain"]
    shown = subprocess.run(status, cwd=project.root, capture_output=True, text=True, check=True)
    assert ".patchae" not in shown.stdout


def test_what_is_set_already_wins(project: Project) -> None:
    given = {"DO_NOT_TRACK": "0", "MLFLOW_TRACKING_URI": "http://mlflow.example.org"}
    after = _environment_after(project, **given)
    assert after.items() >= given.items()


def test_a_real_prefect_server_needs_no_embedded_home(project: Project) -> None:
    after = _environment_after(project, PREFECT_API_URL="http://prefect.example.org/api")
    assert "PREFECT_HOME" not in after
    assert not project.prefect.exists()
    assert (project.state / ".gitignore").read_text() == "*\n"


_HOLDER = """
import pathlib, sys
from patchae.project import Project
with Project(pathlib.Path(sys.argv[1])).lock("snapshot"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_keeps_others_out_and_dies_with_its_process(project: Project) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(project.root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match="'snapshot'"), project.lock("snapshot", timeout=0):
            pytest.fail("two hold one lock")
        with project.lock("another", timeout=0):
            pass  # locks of other names are free
    finally:
        holder.kill()  # as by kill -9: no clean-up runs
        holder.communicate()
    with project.lock("snapshot", timeout=5):
        pass
