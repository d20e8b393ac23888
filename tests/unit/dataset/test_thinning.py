"""What DVC's cache may lose: only what nobody here uses and the remote holds whole."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from patchae.dataset.restoring import lay_out
from patchae.dataset.thinning import spare, thin
from patchae.dataset.version import listing, snapshot
from patchae.project import Project
from patchae.types import DataVersion
from tests.support import write_class, write_image


def ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def cached(project: Project) -> dict[str, Path]:
    """The objects of the cache by md5, without listings."""
    found = (project.root / ".dvc" / "cache").rglob("*")
    return {
        path.parent.name + path.name: path
        for path in found
        if path.is_file() and len(path.parent.name + path.name) == 32
    }


@pytest.fixture
def versions(project: Project) -> list[DataVersion]:
    """Three versions, each with another first image; all of the cache is 100 days old."""
    write_class(project.data, "bolt", train_good=4, test_good=2, test_defect=2)
    made = []
    for seed in range(3):
        write_image(project.data / "bolt" / "train" / "good" / "000.png", 70_000 + seed)
        made.append(snapshot(project).version)
    old = time.time() - 100 * 86_400
    for path in cached(project).values():
        os.utime(path, (old, old))
    return made


def first_of(project: Project, version: DataVersion) -> str:
    """The md5 of the image in which versions differ."""
    return listing(project, version)["bolt/train/good/000.png"]


def test_what_no_version_in_use_needs_goes(project: Project, versions: list[DataVersion]) -> None:
    old, used, pinned = versions
    going, others = spare(project, {used}, ago(30))
    assert set(going) == {first_of(project, old)}
    assert others >= 12
    before = cached(project)
    assert thin(project, {used}, ago(30)) == sum(going.values()) > 0
    assert set(before) - set(cached(project)) == {first_of(project, old)}
    assert spare(project, {used}, ago(30))[0] == {}
    assert first_of(project, pinned) in cached(project)


def test_a_version_that_went_is_fetched_again(
    project: Project, versions: list[DataVersion], tmp_path: Path
) -> None:
    thin(project, set(), ago(30))
    assert first_of(project, versions[0]) not in cached(project)
    assert lay_out(project, versions[0], ["bolt"], tmp_path / "again") == 10
    assert first_of(project, versions[0]) in cached(project)


def test_what_is_young_stays(project: Project, versions: list[DataVersion]) -> None:
    assert spare(project, set(), ago(200))[0] == {}
    assert thin(project, set(), ago(200)) == 0


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_what_the_remote_does_not_hold_whole_stays(
    project: Project, versions: list[DataVersion], damage: str
) -> None:
    name = first_of(project, versions[0])
    (there,) = (
        path
        for path in project.dvc_remote.rglob("*")
        if path.is_file() and path.parent.name + path.name == name
    )
    there.chmod(0o644)
    if damage == "missing":
        there.unlink()
    else:
        there.write_bytes(there.read_bytes()[:-1] + b"!")
    freed = thin(project, set(), ago(30))
    assert name in cached(project)
    assert first_of(project, versions[1]) not in cached(project)
    assert freed > 0


def test_what_data_holds_stays_although_no_version_in_use_has_it(
    project: Project, versions: list[DataVersion]
) -> None:
    name = first_of(project, versions[0])
    target = project.data / "bolt" / "train" / "good" / "back.png"
    target.write_bytes(cached(project)[name].read_bytes())
    assert name not in spare(project, set(), ago(30))[0]
    thin(project, set(), ago(30))
    assert name in cached(project)


def test_a_cache_that_others_share_is_left_alone(
    project: Project, versions: list[DataVersion], tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    (project.root / ".dvc" / "cache").rename(shared)
    with (project.root / ".dvc" / "config").open("a") as config:
        config.write(f"[cache]\n    dir = {shared}\n")
    assert spare(project, set(), ago(30))[0] == {}
    assert thin(project, set(), ago(30)) == 0


def test_a_project_without_images(project: Project) -> None:
    assert spare(project, set(), ago(30)) == ({}, 0)
