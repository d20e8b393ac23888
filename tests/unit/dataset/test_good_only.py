"""A beginning with good images alone: some are kept to test with, drawn by their content."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from patchae.dataset.capturing import capture
from patchae.dataset.sources import import_source
from patchae.dataset.splitting import split_of
from patchae.errors import DataError
from patchae.files import digests_of, sha256_file
from patchae.project import Project
from tests.support import patchae, write_image

COUNT = 24


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of images of good parts, and a note."""
    folder = tmp_path / "photos"
    for number in range(COUNT):
        write_image(folder / f"{number:03d}.png", number)
    (folder / "notes.txt").write_text("taken on Monday")
    return folder


def _parts(folder: Path) -> dict[str, str]:
    """Every image of a class: its part by its digest."""
    return {digest: path.rpartition("/")[0] for path, digest in digests_of(folder).items()}


def _expected(photos: Path) -> dict[str, str]:
    digests = [sha256_file(path) for path in photos.glob("**/*.png")]
    return {digest: f"{split_of(digest)}/good" for digest in digests}


def test_a_folder_of_images_becomes_a_class(project: Project, photos: Path) -> None:
    before = digests_of(photos)
    done = import_source(project, str(photos), name="bolt")
    assert (done.classes, done.images) == (("bolt",), COUNT)
    assert _parts(project.data / "bolt") == _expected(photos)
    assert set(_expected(photos).values()) == {"train/good", "test/good"}
    names = {path.name for path in (project.data / "bolt").glob("*/good/*")}
    assert names == {path.name for path in photos.glob("*.png")}
    assert not any(path.is_symlink() for path in (project.data / "bolt").rglob("*"))
    assert digests_of(photos) == before
    assert import_source(project, str(photos), name="bolt").unchanged == ("bolt",)
    assert not (project.state / "laid-out").exists()


@pytest.mark.parametrize("empty", [False, True])
def test_a_class_with_train_good_alone_is_one(
    project: Project, photos: Path, tmp_path: Path, *, empty: bool
) -> None:
    part = tmp_path / "part"
    (part / "train").mkdir(parents=True)
    shutil.copytree(photos, part / "train/good")
    if empty:
        (part / "test/good").mkdir(parents=True)
    assert import_source(project, str(part)).classes == ("part",)
    assert _parts(project.data / "part") == _expected(photos)


def test_capture_begins_a_class_the_same_way(project: Project, photos: Path) -> None:
    shown = capture(project, "bolt", photos, dry_run=True)
    assert not project.data.exists()
    done = capture(project, "bolt", photos)
    assert done == shown
    assert _parts(project.data / "bolt") == _expected(photos)
    write_image(photos / "new.png", 999)
    assert len(capture(project, "bolt", photos).new) == 1  # later ones are to learn from
    assert _parts(project.data / "bolt")[sha256_file(photos / "new.png")] == "train/good"


def test_a_capture_that_was_cut_off_ends_the_same_way(project: Project, photos: Path) -> None:
    arrived = capture(project, "bolt", photos).new
    whole = digests_of(project.data)
    for count in range(0, COUNT, 3):
        for path in arrived[count:]:
            (project.data / path).unlink()
        project.captured.unlink()  # what was cut off has not noted yet what arrived
        assert capture(project, "bolt", photos).new == arrived[count:]
        assert digests_of(project.data) == whole


def test_a_class_that_has_its_tests_gets_images_to_learn_from(
    project: Project, photos: Path, tmp_path: Path
) -> None:
    import_source(project, str(photos), name="bolt")
    tests = len(list((project.data / "bolt/test/good").iterdir()))
    for number in range(12):
        write_image(tmp_path / "drop" / f"{number}.png", 500 + number)
    assert all("/train/good/" in path for path in capture(project, "bolt", tmp_path / "drop").new)
    assert len(list((project.data / "bolt/test/good").iterdir())) == tests


def test_images_in_folders_are_not_taken_for_good_ones(project: Project, photos: Path) -> None:
    write_image(photos / "scratched/1.png", 77)
    with pytest.raises(DataError, match="scratched"):
        import_source(project, str(photos), name="bolt")
    assert not (project.data / "bolt").exists()


def test_folders_of_images_beside_one_another_are_not_taken_for_good_ones(
    project: Project, photos: Path, tmp_path: Path
) -> None:
    for name in ("sorted/good", "sorted/scratch"):
        shutil.copytree(photos, tmp_path / name)
    with pytest.raises(DataError, match="no images in train/good"):
        import_source(project, str(tmp_path / "sorted"))
    with pytest.raises(DataError):
        import_source(project, str(tmp_path / "sorted"), classes=["scratch"], name="bolt")
    assert not (project.data / "bolt").exists()


def test_too_few_for_both_parts_are_refused(project: Project, tmp_path: Path) -> None:
    write_image(tmp_path / "few/1.png", 1)
    with pytest.raises(DataError, match="too few"):
        import_source(project, str(tmp_path / "few"), name="bolt")


def test_without_a_name_the_command_that_takes_it_is_said(project: Project, photos: Path) -> None:
    with pytest.raises(DataError) as refused:
        import_source(project, str(photos))
    assert "--as CLASS" in str(refused.value.mend)


def test_masks_are_no_images_of_good_parts(project: Project, photos: Path) -> None:
    write_image(photos / "003_mask.png", 88)
    with pytest.raises(DataError, match=r"003_mask\.png.* a mask by its name"):
        import_source(project, str(photos), name="bolt")
    with pytest.raises(DataError, match=r"003_mask\.png.* a mask by its name"):
        capture(project, "bolt", photos)


def test_the_command_says_how_many_are_to_test_with(
    project: Project,
    photos: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tests = list(_expected(photos).values()).count("test/good")
    code, out, _ = patchae(capsys, monkeypatch, "capture", "sample", "bolt", str(photos))
    assert code == 0
    assert f"{tests} of them into test/good" in out
