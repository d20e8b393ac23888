"""`validation.max_pixels`: how large an image may be, for whoever reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from patchae.config import Validation
from patchae.dataset.capturing import capture
from patchae.dataset.importing import import_folder
from patchae.dataset.labelling import bring_back
from patchae.dataset.manifest import read_manifest
from patchae.dataset.picture import read_picture
from patchae.errors import DataError
from patchae.lines_file import most_pixels
from patchae.project import Project
from tests.support import write_class, write_image

SIDE = 64
MESSAGE = "64 x 64 px are more than validation.max_pixels = 4,000: raise it in lines.yaml"


def _lines(project: Project, most: int) -> None:
    project.lines_file.write_text(
        f"lines: {{one: {{classes: [bolt], validation: {{max_pixels: {most}}}}},"
        f" two: {{classes: [nut]}}}}"
    )


def test_a_limit_that_is_raised_or_lowered_holds_at_once(tmp_path: Path) -> None:
    folder = write_class(tmp_path, "bolt", train_good=2, test_good=1, test_defect=1)
    for path in folder.rglob("*.png"):
        os.utime(path, (1, 1))  # old enough to be remembered
    cache = tmp_path / "pictures.db"
    for most in (4_000, 5_000, 4_000):
        manifest = read_manifest(tmp_path, "bolt", cache=cache, max_pixels=most)
        too_large = manifest["problem"].str.contains(MESSAGE, na=False)
        assert set(too_large) == {most == 4_000}


def test_a_class_of_no_line_has_the_default(project: Project) -> None:
    _lines(project, 4_000)
    asked = [most_pixels(project.lines_file, name) for name in ("bolt", "nut", "gear")]
    assert asked == [4_000, 100_000_000, 100_000_000]


def test_import_and_capture_go_by_the_line(project: Project, tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_class(source, "bolt", train_good=2, test_good=1, test_defect=1)
    _lines(project, 4_000)
    with pytest.raises(DataError, match=MESSAGE.split(":", maxsplit=1)[0]):
        import_folder(project, source)
    _lines(project, 5_000)
    assert import_folder(project, source)
    write_image(tmp_path / "drop" / "new.png", 77)
    few, files = Validation(max_pixels=4_000), [tmp_path / "drop" / "new.png"]
    with pytest.raises(DataError, match=r"validation\.max_pixels"):
        capture(project, "bolt", tmp_path / "drop", rules=few)
    with pytest.raises(DataError, match=r"validation\.max_pixels"):
        bring_back(project, "bolt", files, "good", actor="ann", rules=few)
    assert bring_back(project, "bolt", files, "good", actor="ann", rules=Validation()).new


def test_a_line_may_allow_what_pillow_takes_for_a_bomb(tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    Image.new("1", (18_200, 10_000)).save(scan)  # more than twice Pillow's own limit
    refused = str(read_picture(scan).problem)
    assert "validation.max_pixels = 100,000,000: raise it in lines.yaml" in refused
    allowed = read_picture(scan, as_mask=True, max_pixels=200_000_000)
    assert (allowed.problem, allowed.width, allowed.height) == (None, 18_200, 10_000)
