"""What cannot be versioned or told apart is named; masks are found by one rule for their names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from patchae.dataset.importing import import_folder
from patchae.dataset.layout import images, masks_among
from patchae.dataset.restoring import pull
from patchae.dataset.version import snapshot
from patchae.errors import DataError
from patchae.project import Project
from tests.support import write_class

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


@pytest.mark.parametrize("rule", ["test/", "*.png", "data/bolt/ground_truth", "bolt"])
def test_a_snapshot_stops_at_images_that_dvc_ignores(project: Project, rule: str) -> None:
    write_class(project.data, "bolt", train_good=2, test_good=1, test_defect=1)
    version = snapshot(project).version
    (project.root / ".dvcignore").write_text(f"*.txt\n{rule}\n")
    for step in (lambda: snapshot(project), lambda: pull(project, version)):
        with pytest.raises(DataError, match="DVC is told to ignore") as caught:
            step()
        assert f".dvcignore:2:{rule}" in (caught.value.where or "")
        assert "bolt/" in (caught.value.where or "")


def test_a_snapshot_goes_past_other_files_that_dvc_ignores(project: Project) -> None:
    folder = write_class(project.data, "bolt", train_good=2, test_good=1, test_defect=1)
    (folder / "readme.txt").write_text("x")
    (project.root / ".dvcignore").write_text("*.txt\n")
    assert snapshot(project).images == 5


def test_a_name_that_is_not_utf8_is_said_by_whoever_walks_data(project: Project) -> None:
    folder = write_class(project.data, "bolt", train_good=2, test_good=1, test_defect=1)
    version = snapshot(project).version
    bad = folder / "train/good" / os.fsdecode(b"a\xe4.png")
    try:
        bad.write_bytes((folder / "train/good/000.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for step in (
        lambda: snapshot(project),
        lambda: pull(project, version),
        lambda: images(project.data, "bolt"),
    ):
        with pytest.raises(DataError, match="not valid UTF-8") as caught:
            step()
        assert "bolt/train/good/a\\udce4.png" in str(caught.value)


@pytest.mark.parametrize(
    "mask",
    ["000_mask.png", "000_mask.bmp", "000_MASK.PNG", "000_GT.png", "000-gt.tif", "000.jpg",
     "000.png", "000.png.png", "000.png_mask.png"],
)  # fmt: skip
def test_a_mask_is_found_under_each_of_its_names(
    project: Project, tmp_path: Path, mask: str
) -> None:
    folder = write_class(tmp_path / "camera", "bolt", train_good=2, test_good=1, test_defect=1)
    truth = folder / "ground_truth/hole"
    (truth / "000_mask.png").rename(truth / mask)
    assert import_folder(project, tmp_path / "camera").masks == 1
    (found,) = (image.mask for image in images(project.data, "bolt") if image.mask)
    assert found == f"bolt/ground_truth/hole/{mask}"
    assert masks_among(["bolt/test/hole/000.png"], [found, "bolt/test/hole/000.png"]) == {found}


@pytest.mark.parametrize(("form", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_mask_may_be_in_another_form_of_unicode_than_its_image(
    tmp_path: Path, form: str, other: str
) -> None:
    folder = write_class(tmp_path, "bolt", train_good=1, test_good=1, test_defect=1)
    kind, twin = (unicodedata.normalize(each, "Brüche") for each in (form, other))
    for part, name, target in (
        ("test", "000.png", f"{kind}/{kind}.png"),
        ("ground_truth", "000_mask.png", f"{twin}/{twin}_mask.png"),
    ):
        place = folder / part / target
        place.parent.mkdir()
        (folder / part / "hole" / name).rename(place)
    (image,) = (image for image in images(tmp_path, "bolt") if image.defect == kind)
    assert image.mask == f"bolt/ground_truth/{twin}/{twin}_mask.png"
    assert masks_among([image.path], [image.mask]) == {image.mask}


def test_an_image_of_the_name_of_a_mask_keeps_its_own(tmp_path: Path) -> None:
    folder = write_class(tmp_path, "bolt", train_good=1, test_good=1, test_defect=1)
    for part in ("test", "ground_truth"):
        source = next((folder / part / "hole").iterdir())
        (folder / part / "hole" / "000_gt.png").write_bytes(source.read_bytes())
    masks = {image.path: image.mask for image in images(tmp_path, "bolt") if image.mask}
    start = "bolt/ground_truth/hole"
    assert masks == {
        "bolt/test/hole/000.png": f"{start}/000_mask.png",
        "bolt/test/hole/000_gt.png": f"{start}/000_gt.png",
    }


def test_two_masks_of_one_image_are_refused(project: Project, tmp_path: Path) -> None:
    folder = write_class(tmp_path / "camera", "bolt", train_good=2, test_good=1, test_defect=1)
    truth = folder / "ground_truth/hole"
    (truth / "000.bmp").write_bytes((truth / "000_mask.png").read_bytes())
    with pytest.raises(DataError, match=r"an image has 2 masks: 000\.bmp, 000_mask\.png"):
        images(tmp_path / "camera", "bolt")
    with pytest.raises(DataError, match="an image has 2 masks"):
        import_folder(project, tmp_path / "camera")
    assert not project.data.exists()
