"""Versions of data/: pinned, stored, found again, and nothing else touched."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from patchae.dataset.version import listing, pinned_version, read_object, snapshot, stored
from patchae.errors import ConfigError, DataError, StoreUnreachable, UsageError
from patchae.project import Project
from tests.support import write_class, write_image

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


@pytest.fixture
def plant(project: Project) -> Project:
    """A project with the images of one class."""
    write_class(project.data, "bolt", train_good=4, test_good=2, test_defect=2)
    return project


def git(project: Project, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=project.root, check=True, capture_output=True, text=True
    )
    return done.stdout


def objects(project: Project) -> list[Path]:
    return [path for path in (project.dvc_remote / "files").rglob("*") if path.is_file()]


def test_the_first_snapshot_pins_and_stores_every_file(plant: Project) -> None:
    done = snapshot(plant)
    files = [path for path in plant.data.rglob("*") if path.is_file()]
    assert done.changed
    assert (done.images, done.bytes) == (len(files), sum(file.stat().st_size for file in files))
    assert pinned_version(plant) == done.version
    found = listing(plant, done.version)
    assert found == {
        file.relative_to(plant.data).as_posix(): hashlib.md5(
            file.read_bytes(), usedforsecurity=False
        ).hexdigest()
        for file in files
    }
    assert stored(plant, [*found.values(), done.version]) == {*found.values(), done.version}


def test_without_a_change_version_and_pin_stay_as_they_are(plant: Project) -> None:
    first = snapshot(plant)
    pin = plant.data_dvc.read_bytes()
    second = snapshot(plant)
    assert (second.version, second.changed) == (first.version, False)
    assert plant.data_dvc.read_bytes() == pin


def test_the_pin_depends_on_the_images_alone(plant: Project, tmp_path: Path) -> None:
    snapshot(plant)
    other = Project(tmp_path / "elsewhere")
    shutil.copytree(plant.data, other.data)
    snapshot(other)
    assert other.data_dvc.read_bytes() == plant.data_dvc.read_bytes()


def test_the_pin_is_the_file_that_dvc_add_writes(plant: Project) -> None:
    from dvc.repo import Repo

    snapshot(plant)
    pin = plant.data_dvc.read_bytes()
    plant.data_dvc.unlink()
    with Repo(str(plant.root)) as repo:
        repo.add("data")
        assert repo.push() == 0
    assert plant.data_dvc.read_bytes() == pin


def test_another_image_is_another_version_and_both_can_be_read(plant: Project) -> None:
    first = snapshot(plant)
    write_image(plant.data / "bolt/train/good/004.png", 77)
    second = snapshot(plant)
    assert second.changed
    assert second.version != first.version
    added = set(listing(plant, second.version)) - set(listing(plant, first.version))
    assert added == {"bolt/train/good/004.png"}


def test_taking_the_image_away_gives_the_first_version_again(plant: Project) -> None:
    first = snapshot(plant)
    pin = plant.data_dvc.read_bytes()
    write_image(plant.data / "bolt/train/good/004.png", 77)
    snapshot(plant)
    (plant.data / "bolt/train/good/004.png").unlink()
    assert snapshot(plant).version == first.version
    assert plant.data_dvc.read_bytes() == pin


def test_a_commit_takes_the_pin_and_leaves_what_else_is_staged(plant: Project) -> None:
    (plant.root / "notes.txt").write_text("staged")
    (plant.root / "lines.yaml").write_text("lines: {}\n")
    git(plant, "add", "notes.txt")
    done = snapshot(plant, commit=True)
    assert done.committed
    assert git(plant, "show", "--format=%s", "--name-only").split("\n") == [
        f"Pin data version {done.version}",
        "",
        ".dvc/.gitignore",
        ".dvc/config",
        "data.dvc",
        "",
    ]
    assert git(plant, "status", "--porcelain") == " M lines.yaml\nA  notes.txt\n"
    assert not snapshot(plant, commit=True).committed


def test_without_commit_the_index_of_git_is_untouched(plant: Project) -> None:
    (plant.root / "notes.txt").write_text("staged")
    git(plant, "add", "notes.txt")
    before = git(plant, "ls-files", "--stage")
    assert not snapshot(plant).committed
    assert git(plant, "ls-files", "--stage") == before
    assert git(plant, "rev-list", "--count", "HEAD") == "1\n"


def test_a_later_commit_still_pins_what_an_earlier_snapshot_wrote(plant: Project) -> None:
    snapshot(plant)
    assert snapshot(plant, commit=True).committed
    assert git(plant, "status", "--porcelain") == ""


def test_ignore_entries_are_added_once_and_foreign_edits_are_not_committed(plant: Project) -> None:
    ignore = plant.root / ".gitignore"
    ignore.write_text("/.patchae\n")
    git(plant, "commit", "-q", "-a", "-m", "no longer ignore data")
    ignore.write_text("/.patchae\n/mine\n")
    snapshot(plant, commit=True)
    snapshot(plant, commit=True)
    assert ignore.read_text() == "/.patchae\n/mine\n/data\n"
    assert git(plant, "status", "--porcelain") == " M .gitignore\n"


def test_a_commit_that_git_refuses_leaves_the_index_as_it_was(plant: Project) -> None:
    hook = plant.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = git(plant, "ls-files", "--stage")
    with pytest.raises(UsageError, match="not on a Friday"):
        snapshot(plant, commit=True)
    assert git(plant, "ls-files", "--stage") == before
    hook.unlink()
    assert snapshot(plant, commit=True).committed


def test_it_works_without_git(plant: Project) -> None:
    shutil.rmtree(plant.root / ".git")
    first = snapshot(plant)
    assert stored(plant, [first.version]) == {first.version}
    assert not snapshot(plant).changed
    with pytest.raises(UsageError, match="no Git repository"):
        snapshot(plant, commit=True)


@pytest.mark.parametrize("known", [False, True], ids=["new to git", "committed before"])
def test_git_that_comes_after_the_first_version_gets_no_images(plant: Project, known: bool) -> None:
    shutil.rmtree(plant.root / ".git")
    (plant.root / ".gitignore").unlink()
    snapshot(plant)
    git(plant, "init", "-q")
    git(plant, "config", "user.name", "tester")
    git(plant, "config", "user.email", "tester@example.org")
    if known:
        git(plant, "add", ".dvc/config")
        git(plant, "commit", "-q", "-m", "start")
    assert snapshot(plant, commit=True).committed
    assert set(git(plant, "ls-files").splitlines()) == {
        ".dvc/.gitignore", ".dvc/config", ".gitignore", "data.dvc"
    }  # fmt: skip
    assert "no_scm" not in (plant.root / ".dvc/config").read_text()
    assert git(plant, "status", "--porcelain", "--", "data", ".dvc") == ""


def test_a_wish_that_dvc_leaves_git_alone_is_kept(plant: Project) -> None:
    config = plant.root / ".dvc/config"
    config.parent.mkdir()
    config.write_text("[core]\n    no_scm = true\n")
    snapshot(plant)
    assert config.read_text() == "[core]\n    no_scm = true\n"


def test_images_that_git_tracks_are_refused(plant: Project) -> None:
    git(plant, "add", "--force", "data")
    with pytest.raises(DataError, match="Git tracks images") as error:
        snapshot(plant)
    assert "git rm -r --cached" in str(error.value)


def test_nothing_to_version_is_an_error(project: Project) -> None:
    with pytest.raises(DataError, match="nothing in data/"):
        snapshot(project)
    assert not (project.root / ".dvc").exists()
    assert pinned_version(project) is None


def test_a_clone_without_its_images_is_told_to_fetch_them(plant: Project) -> None:
    snapshot(plant)
    pin = plant.data_dvc.read_bytes()
    shutil.rmtree(plant.data)
    with pytest.raises(DataError, match="dvc pull"):
        snapshot(plant)
    assert plant.data_dvc.read_bytes() == pin


def test_data_may_be_a_link_to_another_disk(project: Project, tmp_path: Path) -> None:
    write_class(tmp_path / "nas", "bolt", train_good=2, test_good=1, test_defect=0, masks=False)
    project.data.symlink_to(tmp_path / "nas")
    assert snapshot(project).images == 3


def test_names_with_umlauts_and_spaces_are_listed_as_they_are(plant: Project) -> None:
    write_image(plant.data / "bolt/test/Riß quer/Stück 1.png", 5)
    assert "bolt/test/Riß quer/Stück 1.png" in listing(plant, snapshot(plant).version)


def test_what_the_remote_lost_is_seen_and_brought_back(plant: Project) -> None:
    done = snapshot(plant)
    md5 = listing(plant, done.version)["bolt/train/good/000.png"]
    (lost,) = (path for path in objects(plant) if path.parent.name + path.name == md5)
    lost.unlink()
    assert stored(plant, [md5, done.version]) == {done.version}
    assert not snapshot(plant).changed
    assert stored(plant, [md5]) == {md5}


def test_an_object_is_read_from_the_remote_or_else_from_the_cache(plant: Project) -> None:
    image = plant.data / "bolt/train/good/000.png"
    md5 = listing(plant, snapshot(plant).version)["bolt/train/good/000.png"]
    shutil.rmtree(plant.root / ".dvc/cache")
    assert read_object(plant, md5) == image.read_bytes()
    snapshot(plant)
    shutil.rmtree(plant.dvc_remote)
    assert read_object(plant, md5) == image.read_bytes()
    shutil.rmtree(plant.root / ".dvc/cache")
    assert read_object(plant, md5) is None


def test_an_altered_object_is_never_given_out(plant: Project) -> None:
    md5 = listing(plant, snapshot(plant).version)["bolt/train/good/000.png"]
    shutil.rmtree(plant.root / ".dvc/cache")
    (altered,) = (path for path in objects(plant) if path.parent.name + path.name == md5)
    altered.chmod(0o644)
    altered.write_bytes(altered.read_bytes() + b"x")
    assert read_object(plant, md5) is None
    assert altered.exists()


def test_names_that_are_no_objects_are_not_stored(plant: Project) -> None:
    snapshot(plant)
    assert stored(plant, ["", "../../../lines.yaml", "0" * 32]) == set()
    assert read_object(plant, "../config") is None


def test_a_damaged_cache_never_reaches_the_remote(plant: Project) -> None:
    md5 = listing(plant, snapshot(plant).version)["bolt/train/good/000.png"]
    cached = plant.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.chmod(0o644)
    cached.write_bytes(b"damaged")
    cached.chmod(0o444)
    shutil.rmtree(plant.dvc_remote)
    with pytest.raises(DataError, match="held damaged objects"):
        snapshot(plant)
    assert not snapshot(plant).changed
    assert stored(plant, [md5]) == {md5}
    assert read_object(plant, md5) == (plant.data / "bolt/train/good/000.png").read_bytes()


def test_an_image_that_changes_meanwhile_is_noticed(plant: Project) -> None:
    victim = plant.data / "bolt/train/good/000.png"

    def retouch(what: str, _: int, __: int) -> None:
        if what == "copying new images":  # hashed, but not yet copied
            victim.write_bytes(victim.read_bytes() + b"x")

    with pytest.raises(DataError, match="changed while they were being versioned: 1"):
        snapshot(plant, progress=retouch)
    assert pinned_version(plant) is None
    md5 = listing(plant, snapshot(plant).version)["bolt/train/good/000.png"]
    assert read_object(plant, md5) == victim.read_bytes()


def test_an_unknown_version_is_a_clear_error(plant: Project) -> None:
    with pytest.raises(DataError, match="no version of data/ was ever made"):
        stored(plant, [])
    version = snapshot(plant).version
    shutil.rmtree(plant.root / ".dvc/cache")
    shutil.rmtree(plant.dvc_remote)
    with pytest.raises(DataError, match="neither in the DVC remote nor in the cache"):
        listing(plant, version)


@pytest.mark.parametrize(
    "text", ["", "<<<<<<< HEAD\nouts:\n", "outs:\n- path: data\n", "outs: 3\n"]
)
def test_a_pin_that_is_none_is_refused(plant: Project, text: str) -> None:
    plant.data_dvc.write_text(text)
    with pytest.raises(DataError, match="does not pin a version"):
        pinned_version(plant)
    with pytest.raises(DataError, match="does not pin a version"):
        snapshot(plant)


def test_a_remote_that_is_configured_is_used_and_left_alone(plant: Project, tmp_path: Path) -> None:
    config = plant.root / ".dvc/config"
    config.parent.mkdir()
    config.write_text(
        f"[core]\n    remote = nas\n['remote \"nas\"']\n    url = {tmp_path / 'nas'}\n"
    )
    before = config.read_bytes()
    version = snapshot(plant).version
    assert (tmp_path / "nas/files/md5" / version[:2] / version[2:]).is_file()
    assert not plant.dvc_remote.exists()
    assert config.read_bytes() == before


def test_a_remote_that_cannot_be_used_is_named_and_nothing_is_pinned(
    plant: Project, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    config = plant.root / ".dvc/config"
    config.parent.mkdir()
    remote = f"['remote \"nas\"']\n    url = {tmp_path / 'file' / 'store'}\n"
    config.write_text(f"[core]\n    remote = nas\n{remote}")
    with pytest.raises(StoreUnreachable, match="the DVC remote 'nas' cannot be used"):
        snapshot(plant)
    assert not plant.data_dvc.exists()
    config.write_text("[core]\n    remote = nowhere\n")
    with pytest.raises(ConfigError, match="nowhere"):
        snapshot(plant)


def test_the_embedded_remote_moves_with_the_state_folder(
    plant: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot(plant)
    monkeypatch.setenv("PATCHAE_STATE", str(tmp_path / "volume"))
    version = snapshot(plant).version
    assert (tmp_path / "volume/dvc-remote/files/md5" / version[:2] / version[2:]).is_file()


def test_nothing_is_left_outside_of_the_project(plant: Project, tmp_path: Path) -> None:
    snapshot(plant)
    assert {path.name for path in tmp_path.iterdir()} == {"plant"}
    assert {path.name for path in plant.root.iterdir()} == {
        ".dvc", ".git", ".gitignore", ".patchae", "data", "data.dvc", "lines.yaml"
    }  # fmt: skip
    assert (plant.state / "dvc-site-cache").is_dir()


def test_dvc_says_nothing(plant: Project, capfd: pytest.CaptureFixture[str]) -> None:
    snapshot(plant)
    snapshot(plant)
    assert capfd.readouterr() == ("", "")
