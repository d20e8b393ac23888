"""Where images are found, and where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from patchae.dataset.layout import images, present_classes
from patchae.errors import DataError
from tests.support import write_class, write_image


def test_the_classes_are_the_visible_folders(tmp_path: Path) -> None:
    for name in ("washer", "bolt", ".import"):
        write_class(tmp_path, name, train_good=1, test_good=1, test_defect=0, masks=False)
    (tmp_path / "readme.txt").write_text("not a class")
    assert present_classes(tmp_path) == ["bolt", "washer"]


def test_no_data_folder_means_no_classes(tmp_path: Path) -> None:
    assert present_classes(tmp_path / "data") == []


def test_every_image_is_found_once_with_its_place_and_mask(tmp_path: Path) -> None:
    write_class(tmp_path, "bolt", train_good=2, test_good=1, test_defect=2)
    assert [
        (image.path, image.split, image.defect, image.mask) for image in images(tmp_path, "bolt")
    ] == [
        ("bolt/test/good/000.png", "test", "good", None),
        ("bolt/test/hole/000.png", "test", "hole", "bolt/ground_truth/hole/000_mask.png"),
        ("bolt/test/hole/001.png", "test", "hole", "bolt/ground_truth/hole/001_mask.png"),
        ("bolt/train/good/000.png", "train", "good", None),
        ("bolt/train/good/001.png", "train", "good", None),
    ]


def test_a_mask_may_have_the_plain_name_of_its_image(tmp_path: Path) -> None:
    write_image(tmp_path / "bolt/test/hole/Riß 1.JPG", 1)
    write_image(tmp_path / "bolt/ground_truth/hole/Riß 1.png", 2)
    (image,) = images(tmp_path, "bolt")
    assert image.mask == "bolt/ground_truth/hole/Riß 1.png"


@pytest.mark.parametrize("name", ["0.png", "0.PNG", "0.jpg", "0.Jpeg", "0.bmp", "0.tif", "0.TIFF"])
def test_these_files_are_images(tmp_path: Path, name: str) -> None:
    (tmp_path / "bolt/train/good").mkdir(parents=True)
    (tmp_path / "bolt/train/good" / name).touch()
    assert [image.path for image in images(tmp_path, "bolt")] == [f"bolt/train/good/{name}"]


@pytest.mark.parametrize("name", ["Thumbs.db", ".DS_Store", "._0.png", "notes.txt", "0.png.part"])
def test_these_files_are_not(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "bolt/train/good/000.png", 1)
    (tmp_path / "bolt/train/good" / name).touch()
    assert [image.path for image in images(tmp_path, "bolt")] == ["bolt/train/good/000.png"]


@pytest.mark.parametrize("folder", [False, True])
def test_a_class_without_images_is_an_error_that_names_the_mend(
    tmp_path: Path, folder: bool
) -> None:
    if folder:
        (tmp_path / "bolt/train/good").mkdir(parents=True)
    with pytest.raises(DataError, match="class 'bolt' has no") as error:
        images(tmp_path, "bolt")
    assert "patchae import" in str(error.value)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bolt/train/good"
    folder.mkdir(parents=True)
    try:
        (folder / os.fsdecode(b"\xff.png")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(DataError, match="not valid UTF-8"):
        images(tmp_path, "bolt")
