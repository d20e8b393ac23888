"""Nothing of a source is left out without its name: images, folders, classes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from patchae.cli import app
from patchae.dataset.importing import Imported, import_folder
from patchae.dataset.layout import present_classes
from patchae.dataset.sources import import_source
from patchae.errors import DataError
from patchae.images import summary
from patchae.project import Project
from tests.support import write_class, write_image


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """One small class outside of the project."""
    folder = tmp_path / "camera"
    write_class(folder, "pill", train_good=3, test_good=2, test_defect=2)
    return folder


def said(done: Imported) -> str:
    return "\n".join(summary(done.left_out))


def refused(project: Project, source: Path) -> str:
    with pytest.raises(DataError) as error:
        import_folder(project, source)
    assert not project.data.exists()
    return str(error.value)


@pytest.mark.parametrize("linked", ["", "train", "test", "train/good", "test/good"])
def test_what_lies_behind_a_link_comes_in_as_real_files(
    project: Project, source: Path, tmp_path: Path, linked: str
) -> None:
    elsewhere = write_class(tmp_path / "disk", "cable", train_good=3, test_good=2, seed=1)
    shutil.copytree(elsewhere, source / "cable")
    place = source / "cable" / linked
    shutil.rmtree(place)
    place.symlink_to(elsewhere / linked)
    done = import_folder(project, source)
    assert (done.classes, done.complete) == (("cable", "pill"), True)
    here, there = project.data / "cable", elsewhere
    files = {path.relative_to(there) for path in there.rglob("*") if path.is_file()}
    assert {path.relative_to(here) for path in here.rglob("*") if path.is_file()} == files
    assert not any(path.is_symlink() for path in here.rglob("*"))


def test_a_class_of_linked_folders_alone_comes_in(
    project: Project, source: Path, tmp_path: Path
) -> None:
    elsewhere = write_class(tmp_path / "disk", "cable", train_good=3, test_good=2, seed=1)
    (source / "cable").mkdir()
    for split in ("train", "test", "ground_truth"):
        (source / "cable" / split).symlink_to(elsewhere / split)
    assert import_folder(project, source).classes == ("cable", "pill")


def test_good_parts_alone_behind_a_link_come_in(
    project: Project, source: Path, tmp_path: Path
) -> None:
    elsewhere = write_class(tmp_path / "disk", "x", train_good=24, test_good=1, seed=1) / "train"
    (source / "cable").mkdir()
    (source / "cable/train").symlink_to(elsewhere)
    import_folder(project, source, classes=["cable"])
    assert len(list((project.data / "cable").rglob("*.png"))) == 24


@pytest.mark.parametrize(
    ("link", "target", "words"),
    [
        ("cable/train", "nowhere", "cable/train: a link to nothing"),
        ("cable", "nowhere", "cable: a link to nothing"),
        ("pill/test/crack", "nowhere", "pill/test/crack: a link to nothing"),
        ("pill/train/good/9.png", "nowhere", "pill/train/good/9.png: a link to nothing"),
        ("pill/train/back", "..", "pill/train/back: a link that leads back"),
        ("again", ".", "again: a link that leads back"),
    ],
)
def test_a_link_that_leads_nowhere_is_a_problem(
    project: Project, source: Path, link: str, target: str, words: str
) -> None:
    (source / link).parent.mkdir(exist_ok=True)
    (source / link).symlink_to(target)
    assert words in refused(project, source)


def test_images_in_the_wrong_place_are_named_and_the_rest_comes_in(
    project: Project, source: Path
) -> None:
    write_image(source / "pill/val/good/1.png", 1)
    write_image(source / "pill/val/good/2.png", 2)
    write_image(source / "pill/over.png", 3)
    write_image(source / "alone.png", 4)
    (source / "pill/train/good/5.heic").write_bytes(b"heic")
    (source / "phone").mkdir()
    (source / "phone/6.heic").write_bytes(b"heic")
    (source / "pill/readme.txt").write_text("of the class")
    done = import_folder(project, source)
    assert (done.classes, done.images, done.complete) == (("pill",), 7, False)
    for words in (
        "2 images in pill/val/good are not imported (pill/val/good/1.png, pill/val/good/2.png): ",
        "1 image in pill is not imported (pill/over.png)",
        "(alone.png): move them into CLASS/train/good",
        "2 images of type HEIC are not read (phone/6.heic, pill/train/good/5.heic)",
        "1 file is no image (pill/readme.txt)",
    ):
        assert words in said(done)
    assert said(import_folder(project, source)) == said(done), "also of a class that is there"


def test_a_readme_and_litter_leave_nothing_incomplete(project: Project, source: Path) -> None:
    for name in ("license.txt", "pill/Thumbs.db", "pill/train/good/._000.png", "pill/.a/b.png"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(b"x")
    done = import_folder(project, source)
    assert (done.complete, len(done.left_out)) == (True, 4)
    assert said(done) == "1 file is no image (license.txt)"


def test_a_class_of_unreadable_images_is_refused_by_name(project: Project, source: Path) -> None:
    (source / "cable/train/good").mkdir(parents=True)
    (source / "cable/train/good/1.heic").write_bytes(b"heic")
    text = refused(project, source)
    assert "cable: no images in train/good" in text
    assert "1 image of type HEIC is not read (cable/train/good/1.heic)" in text


@pytest.mark.parametrize("called", ["masks", "Mask", "annotations", "labels", "gt", "Ground_Truth"])
def test_masks_in_another_folder_are_a_question(
    project: Project, source: Path, called: str
) -> None:
    (source / "pill/ground_truth").rename(source / "pill" / called)
    text = refused(project, source)
    assert f"pill/{called}: 2 images; are they masks?" in text
    assert "--without-masks" in text
    assert "ground_truth" in text
    done = import_folder(project, source, masks=False)
    assert (done.masks, done.complete) == (0, True)
    assert "2 masks are not imported" in said(done)


def test_without_masks_means_ground_truth_as_well(project: Project, source: Path) -> None:
    done = import_folder(project, source, masks=False)
    assert (done.images, done.masks) == (7, 0)
    assert not (project.data / "pill/ground_truth").exists()


def test_an_archive_tells_what_it_leaves_out(project: Project, source: Path) -> None:
    write_image(source / "pill/val/good/1.png", 1)
    archive = source.parent / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            packed.write(file, f"./camera/{file.relative_to(source)}")
        for name in ("pill/train/good/5.heic", "pill/readme.txt", "__MACOSX/._1.png", "._2.png"):
            packed.writestr(f"camera/{name}", "x")
    done = import_source(project, str(archive))
    assert (done.classes, done.complete, len(done.left_out)) == (("pill",), False, 5)
    assert "1 image of type HEIC is not read (camera/pill/train/good/5.heic)" in said(done)
    assert "1 image in pill/val/good is not imported" in said(done)


def test_a_name_that_no_class_can_have_comes_with_one_that_it_can(
    project: Project, source: Path
) -> None:
    (source / "pill").rename(source / "Pillen v2.1 ä")
    text = refused(project, source)
    assert "patchae import SOURCE --class 'Pillen v2.1 ä' --as Pillen-v2-1-a" in text
    import_folder(project, source, classes=["Pillen v2.1 ä"], name="Pillen-v2-1-a")
    assert present_classes(project.data) == ["Pillen-v2-1-a"]


def test_the_photo_of_a_phone_with_a_second_picture_behind_it_comes_in(
    project: Project, source: Path
) -> None:
    photo = Image.new("RGB", (64, 64), (9, 99, 199))
    photo.save(source / "pill/train/good/9.jpg", "MPO", save_all=True, append_images=[photo.copy()])
    assert import_folder(project, source).images == 8


def test_the_command_names_what_it_left_out_and_ends_with_1(
    project: Project, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    write_image(source / "pill/val/good/1.png", 1)
    (source / "pill/Thumbs.db").write_bytes(b"x")
    done = CliRunner().invoke(app, ["import", os.fspath(source), "--json"])
    assert done.exit_code == 1
    assert "1 image in pill/val/good is not imported (pill/val/good/1.png): " in done.output
    told = json.loads(done.output.splitlines()[-1])
    assert told["ignored"] == 2
    assert [(item["path"], item["kind"]) for item in told["left_out"]] == [
        ("pill/val/good/1.png", "place")
    ]
