"""The gallery of damage, on real files: each piece is found by its check and by no other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from patchae.checks import SEVERITIES
from patchae.config import Validation
from patchae.dataset.layout import images
from patchae.dataset.manifest import read_manifest
from patchae.dataset.validation.record import ValidationRecord
from patchae.dataset.validation.strays import strays
from patchae.dataset.validation.validate import validate
from patchae.types import DataVersion
from tests.integration.validation.gallery import GALLERY, Piece, every, sound

FIRST, SECOND = (DataVersion(digit * 32 + ".dir") for digit in "12")


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sound class; nobody may change it."""
    folder = tmp_path_factory.mktemp("gallery") / "bolt"
    sound(folder)
    return folder


@pytest.fixture
def folder(clean: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    target = tmp_path / "data" / "bolt"
    shutil.copytree(clean, target)
    return target


def checked(
    folder: Path,
    *,
    version: DataVersion = FIRST,
    before: ValidationRecord | None = None,
    rules: Validation | None = None,
) -> ValidationRecord:
    """What validation finds in the folder of a class."""
    data, name = folder.parent, folder.name
    manifest = read_manifest(data, name)
    used = [*manifest["path"], *manifest["mask"].dropna()]
    return validate(
        manifest,
        name,
        rules or Validation(),
        version,
        strays=strays(data, name, used),
        before=before,
    )


def codes(record: ValidationRecord) -> set[str]:
    """The checks that did not pass."""
    return {check.code for check in record.checks if not check.passed}


def test_a_sound_class_raises_nothing(clean: Path) -> None:
    record = checked(clean)
    assert codes(record) == set()
    assert record.passed


def test_the_gallery_is_large_and_reaches_every_check_of_files() -> None:
    assert len(GALLERY) >= 40
    needs_more = {"not_empty", "unique_paths", "masks_present"}
    needs_more |= {code for code in SEVERITIES if code.startswith("steady_")}
    assert {piece.code for piece in GALLERY.values()} == set(SEVERITIES) - needs_more


@pytest.mark.parametrize("piece", GALLERY.values(), ids=GALLERY.keys())
def test_each_piece_is_found_by_its_check_and_by_no_other(folder: Path, piece: Piece) -> None:
    piece.damage(folder)
    record = checked(folder)
    assert codes(record) == {piece.code, *piece.also}
    severities = {SEVERITIES[code] for code in (piece.code, *piece.also)}
    assert record.passed == (severities == {"warning"})
    (check,) = [check for check in record.checks if check.code == piece.code]
    assert check.mend
    assert bool(check.paths) == (not piece.code.startswith("enough_"))
    assert check.found >= len(check.paths)


DRIFT = {
    "steady_light": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "steady_colour": lambda image: Image.merge(
        "RGB",
        [band.point(lambda v, i=i: v + 12 * (i == 0)) for i, band in enumerate(image.split())],
    ),
    "steady_sharpness": lambda image: image.filter(ImageFilter.GaussianBlur(0.7)),
    "steady_size": lambda image: image.crop((1, 1, image.width - 1, image.height - 1)).resize(
        (image.width - 4, image.height - 4), Image.Resampling.LANCZOS
    ),
}


@pytest.mark.parametrize("code", DRIFT)
def test_a_camera_that_moved_is_seen_against_the_version_before(folder: Path, code: str) -> None:
    before = checked(folder)
    every("t*/*/*.png", DRIFT[code])(folder)
    assert code not in codes(checked(folder)), "alone it is as good as before"
    record = checked(folder, version=SECOND, before=before, rules=Validation(min_side_px=16))
    assert code in codes(record)
    assert record.compared_with == FIRST
    (check,) = [check for check in record.checks if check.code == code]
    assert check.paths == ("bolt/train/good",)


def test_more_images_of_the_same_camera_are_no_drift(folder: Path) -> None:
    before = checked(folder)
    for path in sorted((folder / "train" / "good").iterdir())[:4]:
        path.unlink()
    assert not codes(checked(folder, version=SECOND, before=before))


def test_severity_and_limits_of_a_line_decide(folder: Path) -> None:
    GALLERY["out of focus"].damage(folder)
    GALLERY["notes of a person"].damage(folder)
    strict = Validation(severity={"in_focus": "error", "known_files": "ignore"})
    record = checked(folder, rules=strict)
    assert [check.code for check in record.failed] == ["in_focus"]
    assert "known_files" not in {check.code for check in record.checks}
    assert codes(checked(folder, rules=Validation(min_sharpness=0))) == {"known_files"}


def test_a_mask_is_asked_for_where_masks_are_required(folder: Path) -> None:
    (folder / "ground_truth" / "hole" / "002_mask.png").unlink()
    assert not codes(checked(folder))
    record = checked(folder, rules=Validation(masks="required"))
    assert codes(record) == {"masks_present"}


def test_readmes_and_litter_are_no_strays(folder: Path) -> None:
    for name in ("readme.txt", "LICENSE", ".DS_Store", "train/Thumbs.db", "test/good/._000.png"):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    assert codes(checked(folder)) == set()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_utf8_is_told(folder: Path) -> None:
    name = os.fsencode(folder / "train") + b"/\xff.txt"
    Path(os.fsdecode(name)).touch()
    found = strays(folder.parent, "bolt", [image.path for image in images(folder.parent, "bolt")])
    assert "bolt/train/\\xff.txt" in {path.replace("\\udcff", "\\xff") for path in found}
