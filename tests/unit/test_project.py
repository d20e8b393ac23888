"""A project on disk: finding it, its environment, and its locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from patchae.errors import ConfigError
from patchae.project import Project, prepare_environment


def test_a_project_is_found_from_any_folder_in_it(project: Project) -> None:
    deep = project.root / "data" / "bolt" / "train"
    deep.mkdir(parents=True)
    assert Project.find(deep) == Project.find() == Project(project.root.resolve())


def test_the_nearest_project_wins(project: Project) -> None:
    inner = project.root / "inner"
    inner.mkdir()
    (inner / "lines.yaml").write_text("lines: {}")
    assert Project.find(inner).root == inner.resolve()


def test_outside_a_project_the_message_says_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no lines\.yaml") as caught:
        Project.find(tmp_path)
    assert caught.value.where == str(tmp_path.resolve())


def test_state_moves_with_its_setting(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = project.root.parent / "state"
    monkeypatch.setenv("PATCHAE_STATE", str(elsewhere))
    kept = [project.dvc_remote, project.mlflow, project.prefect, project.ledger]
    kept += [project.validations, project.work, project.reports]
    assert {path.parent for path in kept} == {elsewhere}
    assert len(set(kept)) == 7
    assert project.data.parent == project.root


def test_an_own_gitignore_of_the_state_is_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):  # what the call sets is undone after the test
        monkeypatch.setenv(name, os.environ[name])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    project.state.mkdir()
    (project.state / ".gitignore").write_text("*\n!keep\n")
    prepare_environment(project)
    assert (project.state / ".gitignore").read_text() == "*\n!keep\n"


def test_a_lock_is_free_again_after_an_error(project: Project) -> None:
    with pytest.raises(RuntimeError, match="inside"), project.lock("move", timeout=0):
        raise RuntimeError("inside")
    with project.lock("move", timeout=0):
        pass
