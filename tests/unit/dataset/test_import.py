"""Bringing images in: whole classes or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from patchae.dataset.importing import Imported, import_folder
from patchae.dataset.layout import present_classes
from patchae.errors import DataError
from patchae.project import Project
from tests.support import write_class, write_image

Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    """Every file under a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two small classes outside of the project."""
    folder = tmp_path / "camera"
    for seed, name in enumerate(("bolt", "washer")):
        write_class(folder, name, train_good=3, test_good=2, test_defect=2, seed=seed)
    return folder


def test_the_classes_arrive_as_they_are_and_the_source_is_untouched(
    project: Project, source: Path
) -> None:
    before = tree(source)
    done = import_folder(project, source)
    assert tree(project.data) == before == tree(source)
    size = sum(map(len, before.values()))
    assert done == Imported(("bolt", "washer"), (), images=14, masks=4, bytes=size)


def test_importing_twice_changes_nothing(project: Project, source: Path) -> None:
    import_folder(project, source)
    inode = project.data.joinpath("bolt/train/good/000.png").stat().st_ino
    done = import_folder(project, source)
    assert (done.classes, done.unchanged, done.images) == ((), ("bolt", "washer"), 0)
    assert project.data.joinpath("bolt/train/good/000.png").stat().st_ino == inode


def test_one_class_of_several_can_be_picked(project: Project, source: Path) -> None:
    assert import_folder(project, source, classes=["washer"]).classes == ("washer",)
    assert present_classes(project.data) == ["washer"]
    with pytest.raises(DataError, match="no class 'pill'") as error:
        import_folder(project, source, classes=["pill"])
    assert "bolt, washer" in str(error.value)


def test_the_folder_of_one_class_gives_that_class(project: Project, source: Path) -> None:
    assert import_folder(project, source / "bolt").classes == ("bolt",)
    assert tree(project.data / "bolt") == tree(source / "bolt")


def test_a_truncated_image_in_one_class_keeps_both_out(project: Project, source: Path) -> None:
    victim = source / "washer/train/good/001.png"
    victim.write_bytes(victim.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"washer/train/good/001\.png: truncated"):
        import_folder(project, source)
    assert not project.data.exists()


def test_every_problem_is_named_at_once_and_nothing_is_imported(
    project: Project, source: Path
) -> None:
    write_image(source / "bolt/train/scratch/000.png", 1)
    write_image(source / "bolt/train/stray.png", 2)
    write_image(source / "washer/test/hole/000.png", 3, side=32)
    write_image(source / "washer/ground_truth/hole/007_mask.png", 4)
    for path in (source / "washer/test/good").iterdir():
        path.unlink()
    write_class(source, "new pill", train_good=1, test_good=1, test_defect=0, masks=False)
    with pytest.raises(DataError) as error:
        import_folder(project, source)
    text = str(error.value)
    for problem in (
        "6 problems",
        "'new pill' cannot be the name of a class",
        "bolt/train/scratch: training learns from good images only",
        "bolt/train/stray.png: an image outside of the layout",
        "washer: no images in test/good",
        "washer/ground_truth/hole/000_mask.png: 64×64 px, but its image has 32×32 px",
        "washer/ground_truth/hole/007_mask.png: a mask without an image",
    ):
        assert problem in text
    assert not project.data.exists()


def test_what_no_model_can_be_asked_about_stays_out_and_is_named(
    project: Project, source: Path
) -> None:
    page = Image.new("RGB", (64, 64), (9, 99, 199))
    pages: dict[str, Any] = {"save_all": True, "append_images": [Image.new("RGB", (64, 64))]}
    page.save(source / "bolt/train/good/two.tif", **pages)
    page.save(source / "bolt/test/good/moving.webp", **pages)
    Image.new("F", (64, 64)).save(source / "washer/test/good/float.tif")
    page.save(source / "washer/train/good/whole.webp")
    with pytest.raises(DataError) as error:
        import_folder(project, source)
    text = str(error.value)
    for problem in (
        "3 problems",
        "bolt/train/good/two.tif: a file of several images: pages or frames; save the one that",
        "bolt/test/good/moving.webp: a file of several images: pages or frames; save the one that",
        "washer/test/good/float.tif: an image of mode F, which is neither 8-bit grey or colour",
    ):
        assert problem in text
    assert not project.data.exists()
    for name in ("bolt/train/good/two.tif", "bolt/test/good/moving.webp"):
        page.save(source / name)
    (source / "washer/test/good/float.tif").unlink()
    import_folder(project, source)
    assert project.data.joinpath("washer/train/good/whole.webp").exists()


def test_a_mask_may_have_what_no_model_can_be_asked_about(project: Project, source: Path) -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[20:36, 20:36] = 3
    mask = source / "bolt/ground_truth/hole/000_mask.png"
    mask.unlink()
    Image.fromarray(labels).save(mask.with_suffix(".tif"))
    assert import_folder(project, source).masks == 4


def test_masks_among_images_and_good_parts_among_defects_are_named(
    project: Project, source: Path
) -> None:
    mask = source / "bolt/ground_truth/hole/000_mask.png"
    mask.rename(source / "bolt/test/hole/000_GT.png")
    write_image(source / "washer/test/hole/000.jpg", 5)
    write_image(source / "washer/test/OK/000.png", 6)
    with pytest.raises(DataError) as error:
        import_folder(project, source)
    text = str(error.value)
    for problem in (
        "3 problems",
        "bolt/test/hole/000_GT.png: a mask by its name, among the images; move it to",
        "washer/ground_truth/hole/000_mask.png: the mask of 2 images; rename them",
        "washer/test/OK: called like good parts; they belong into test/good",
    ):
        assert problem in text
    assert not project.data.exists()


def test_more_than_ten_problems_are_counted(project: Project, source: Path) -> None:
    for index in range(14):
        (source / f"bolt/train/good/x{index:02d}.png").write_bytes(b"")
    with pytest.raises(DataError, match="14 problems") as error:
        import_folder(project, source)
    assert str(error.value).count("an empty file") == 10
    assert "and 4 more" in str(error.value)


def test_other_images_under_the_same_name_are_never_overwritten(
    project: Project, source: Path
) -> None:
    import_folder(project, source, classes=["bolt"])
    write_image(source / "bolt/train/good/000.png", 99)
    write_image(source / "bolt/train/good/100.png", 98)
    before = tree(project.data)
    with pytest.raises(DataError, match="new: 1, missing: 0, changed: 1"):
        import_folder(project, source)
    assert tree(project.data) == before


def test_an_empty_class_folder_does_not_stand_in_the_way(project: Project, source: Path) -> None:
    (project.data / "bolt/train/good").mkdir(parents=True)
    assert import_folder(project, source).classes == ("bolt", "washer")
    assert tree(project.data) == tree(source)


def test_other_files_are_counted_and_stay_out(project: Project, source: Path) -> None:
    expected = tree(source)
    (source / "license.txt").write_text("of the whole source")
    (source / "bolt/readme.txt").write_text("of the class")
    (source / "bolt/test/good/Thumbs.db").write_bytes(b"litter")
    (source / "docs").mkdir()
    (source / "docs/notes.txt").write_text("a folder without images is no class")
    done = import_folder(project, source)
    assert (len(done.left_out), done.complete) == (4, True)
    assert tree(project.data) == expected


def test_file_names_with_umlauts_and_spaces_arrive(project: Project, source: Path) -> None:
    write_image(source / "bolt/test/Riß quer/Stück 1.png", 7, defect=True)
    mask = np.full((64, 64), 255, np.uint8)
    (source / "bolt/ground_truth/Riß quer").mkdir()
    Image.fromarray(mask).save(source / "bolt/ground_truth/Riß quer/Stück 1_mask.png")
    import_folder(project, source)
    assert tree(project.data) == tree(source)


def test_the_projects_own_images_are_no_source(project: Project) -> None:
    write_class(project.data, "bolt", train_good=1, test_good=1, test_defect=0, masks=False)
    for source in (project.data, project.data / "bolt", project.root):
        with pytest.raises(DataError, match="overlaps with the project's own data/"):
            import_folder(project, source)


def test_a_source_without_classes_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        import_folder(project, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no classes in the source"):
        import_folder(project, tmp_path / "empty")


def test_a_kill_between_two_classes_is_mended_by_the_same_import(
    project: Project, source: Path
) -> None:
    # What such a kill leaves: the first class in place, the second in the hidden folder.
    import_folder(project, source, classes=["bolt"])
    write_image(project.data / ".import/washer/train/good/000.png", 5)
    done = import_folder(project, source)
    assert (done.classes, done.unchanged) == (("washer",), ("bolt",))
    assert tree(project.data) == tree(source)
