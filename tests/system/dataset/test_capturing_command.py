"""A capture that starts a retraining, as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchae.dataset.capturing import capture
from patchae.dataset.sources import import_source
from patchae.project import Project
from tests.support import write_class, write_image


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with one class."""
    write_class(tmp_path / "camera", "bolt", train_good=3, test_good=2, test_defect=2)
    return tmp_path / "camera"


def test_a_retraining_that_did_not_happen_is_caught_up_with(
    project: Project, source: Path, tmp_path: Path
) -> None:
    import_source(project, str(source))
    drop = tmp_path / "drop"
    write_image(drop / "a.png", 70)
    capture(project, "bolt", drop)  # and then the retraining failed
    command = ["capture", "sample", "bolt", str(drop), "--retrain", "--json"]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("patchae")), *command],
        env=os.environ | {"PREFECT_API_URL": "http://127.0.0.1:9/api"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Prefect cannot be used" in done.stderr, "it was tried again"
    assert done.returncode == 3
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["new"], told["known"]) == ([], 1)
