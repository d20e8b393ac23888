"""A project that somebody moves is named by doctor, and goes on after one command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from patchae.project import Project
from patchae.registry.tracking import Tracking
from tests.integration.cli.conftest import Command
from tests.support.plant import Works, steps

MODEL = "works.lens"


def test_a_moved_project_is_scored_with_and_retrained(
    run: Command, works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    shutil.copytree(works.plant.project.root, first)
    monkeypatch.chdir(first)
    assert run("relocate").code == 0
    moved = first.rename(tmp_path / "moved")
    monkeypatch.chdir(moved)
    image = str(next((moved / "data" / "lens" / "test" / "good").iterdir()))
    for code, words in ((1, ("doctor",)), (2, ("score", MODEL, image))):
        told = run(*words)
        assert (told.code, "patchae relocate" in told.out + told.err) == (code, True), words
    assert run("relocate").code == 0
    assert "patchae relocate" not in run("doctor").out
    scored = json.loads(run("score", MODEL, image, "--json").out.splitlines()[-1])
    assert scored["images"][0]["path"] == image
    project = Project(moved)
    tracking = Tracking.open(project)
    versions = [one.version for one in tracking.versions(MODEL)]
    steps(project, "works", "lens", tracking)
    assert [one.version for one in tracking.versions(MODEL)] == versions, "nothing to train"
    assert not first.exists()
