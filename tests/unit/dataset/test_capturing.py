"""New images of a class from a drop folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from patchae.dataset.capturing import capture
from patchae.dataset.sources import import_source
from patchae.errors import DataError
from patchae.files import digests_of, sha256_file
from patchae.project import Project
from tests.support import write_class, write_image


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with one class."""
    write_class(tmp_path / "camera", "bolt", train_good=3, test_good=2, test_defect=2)
    return tmp_path / "camera"


def test_new_images_arrive_under_names_of_their_content(
    project: Project, source: Path, tmp_path: Path
) -> None:
    import_source(project, str(source))
    drop = tmp_path / "drop"
    for number in range(3):
        write_image(drop / f"shift {number}" / "IMG_0001.PNG", 70 + number)
    shutil.copy(drop / "shift 0" / "IMG_0001.PNG", drop / "again.png")
    shutil.copy(source / "bolt" / "test" / "good" / "000.png", drop / "old.png")
    (drop / "log.txt").write_text("x")
    before = digests_of(drop)
    told = capture(project, "bolt", drop, dry_run=True)
    assert len(list((project.data / "bolt/train/good").iterdir())) == 3
    done = capture(project, "bolt", drop)
    assert done == told
    assert (len(done.new), done.known, done.copies, done.ignored) == (3, 1, 1, 1)
    for path in done.new:
        file = project.data / path
        assert file.name == sha256_file(file)[:16] + ".png"
    assert digests_of(drop) == before
    again = capture(project, "bolt", drop)
    assert (again.new, again.known) == ((), 5)


def test_an_image_that_was_edited_in_its_place_stays_as_it_is(
    project: Project, source: Path, tmp_path: Path
) -> None:
    import_source(project, str(source))
    write_image(tmp_path / "drop" / "a.png", 70)
    (name,) = capture(project, "bolt", tmp_path / "drop").new
    write_image(project.data / name, 71)
    edited = digests_of(project.data)
    again = capture(project, "bolt", tmp_path / "drop")
    assert (again.new, again.known) == ((), 1)
    assert digests_of(project.data) == edited


def test_a_class_without_training_images_gets_a_folder_for_them(
    project: Project, tmp_path: Path
) -> None:
    write_image(project.data / "bolt" / "test" / "good" / "000.png", 70)
    write_image(tmp_path / "drop" / "a.png", 71)
    (name,) = capture(project, "bolt", tmp_path / "drop").new
    assert (project.data / name).is_file()


def test_a_linked_folder_is_looked_into_and_one_that_leads_back_is_named(
    project: Project, source: Path, tmp_path: Path
) -> None:
    import_source(project, str(source))
    write_image(tmp_path / "days" / "monday" / "a.png", 70)
    write_image(tmp_path / "drop" / "b.png", 71)
    (tmp_path / "drop" / "latest").symlink_to(tmp_path / "days" / "monday")
    (tmp_path / "drop" / "self").symlink_to(tmp_path / "drop")
    done = capture(project, "bolt", tmp_path / "drop")
    assert (len(done.new), done.ignored) == (2, 0)
    assert [item.path for item in done.left_out] == ["self"]


def test_one_damaged_image_stops_a_capture(project: Project, source: Path, tmp_path: Path) -> None:
    import_source(project, str(source))
    drop = tmp_path / "drop"
    write_image(drop / "a.png", 70)
    (drop / "b.png").write_bytes(b"x")
    before = digests_of(project.data)
    with pytest.raises(DataError, match=r"b\.png: not an image"):
        capture(project, "bolt", drop)
    assert digests_of(project.data) == before
    with pytest.raises(DataError, match="no such folder"):
        capture(project, "bolt", tmp_path / "nowhere")
