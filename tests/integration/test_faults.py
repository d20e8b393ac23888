"""kill -9 at random moments of snapshots and imports: nothing is lost, nothing is half done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.s3 import server

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "12"))


def rounds(folder: Path, url: str | None, environment: dict[str, str]) -> list[str]:
    """What the rounds said, one line each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.faults", str(ROUNDS), "0", str(folder)]
        + ([url] if url else []),
        cwd=Path(__file__).parents[2],
        env={**os.environ, "DVC_GLOBAL_CONFIG_DIR": str(folder / "dvc"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    return done.stdout.splitlines()


@pytest.mark.slow
def test_with_a_folder_as_remote(tmp_path: Path) -> None:
    lines = rounds(tmp_path / "rounds", None, {})
    assert len(lines) == ROUNDS
    assert any("in the middle" in line for line in lines)


@pytest.mark.slow
def test_with_s3_as_remote(tmp_path: Path) -> None:
    with server(tmp_path / "s3") as running:
        running.client().create_bucket(Bucket="plant")
        lines = rounds(tmp_path / "rounds", "s3://plant/images", running.environment)
    assert len(lines) == ROUNDS
    assert any("in the middle" in line for line in lines)
