"""Colour modes: what a model can see may be allowed, and what the finding says to do helps."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from pydantic import ValidationError

from patchae.config import Validation
from patchae.dataset.layout import ImageFile
from patchae.dataset.picture import read_picture
from patchae.dataset.validation.newcomers import objections
from patchae.images import MODES
from tests.support import write_image

SUFFIXES = {"CMYK": "tif", "YCbCr": "tif"}
CONVERTIBLE = ("1", "LA", "P", "RGBA", "CMYK", "YCbCr")


def _objections(path: Path, rules: Validation) -> list[str]:
    image = ImageFile(path.name, "train", "good", None)
    return objections(rules, "bolt", [], [(image, read_picture(path))])


@pytest.mark.parametrize("mode", CONVERTIBLE)
def test_either_mend_of_a_mode_helps(tmp_path: Path, mode: str) -> None:
    write_image(tmp_path / "rgb.png", 1)
    path = tmp_path / f"part.{SUFFIXES.get(mode, 'png')}"
    Image.open(tmp_path / "rgb.png").convert(mode).save(path)
    # 1 bit shows grey as dots, and dots are dead pixels.
    dotted = {"severity": {"no_dead_pixels": "ignore"}}

    (line,) = _objections(path, Validation.model_validate(dotted))
    assert "convert it to L or RGB, or add its mode to validation.modes in lines.yaml" in line
    assert not _objections(path, Validation.model_validate({**dotted, "modes": [mode]}))
    with Image.open(path) as image:
        image.convert("RGB").save(path)
    assert not _objections(path, Validation.model_validate(dotted))


def test_every_mode_that_a_model_sees_may_be_allowed() -> None:
    one_order = [mode for mode in MODES if mode not in {"I;16L", "I;16B"}]
    assert list(Validation.model_validate({"modes": one_order}).modes) == one_order


@pytest.mark.parametrize("mode", ["F", "I", "RGB;16"])
def test_a_mode_that_no_model_sees_cannot_be_allowed(mode: str) -> None:
    with pytest.raises(ValidationError):
        Validation.model_validate({"modes": [mode]})
