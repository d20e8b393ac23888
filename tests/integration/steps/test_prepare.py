"""What is read of a class is what the data version holds: images, and masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchae.config import Line
from patchae.dataset.version import snapshot
from patchae.errors import DataError
from patchae.project import Project
from patchae.steps.prepare import check
from tests.support import write_class

MASK = "bolt/ground_truth/hole/000_mask.png"


pytestmark = pytest.mark.usefixtures("no_dvc_settings")


def _saved_again(mask: Path) -> None:
    Image.fromarray(np.full((64, 64), 255, np.uint8)).save(mask)


def _renamed(mask: Path) -> None:
    mask.rename(mask.with_name("000.png"))


@pytest.mark.parametrize("change", [_saved_again, Path.unlink, _renamed])
def test_a_mask_that_changed_after_the_snapshot_is_named(
    project: Project, change: Callable[[Path], None]
) -> None:
    write_class(project.data, "bolt")
    version = snapshot(project).version
    line = Line(name="sample", classes=("bolt",))
    assert check(project, line, "bolt", version).manifest["mask"].notna().sum() == 6
    change(project.data / MASK)
    with pytest.raises(DataError, match="changed after the snapshot") as caught:
        check(project, line, "bolt", version)
    assert "bolt/ground_truth/hole/000" in str(caught.value.where)


def test_a_mask_that_no_image_uses_may_come_and_go(project: Project) -> None:
    write_class(project.data, "bolt")
    unused = project.data / "bolt/ground_truth/hole/900_mask.png"
    _saved_again(unused)
    version = snapshot(project).version
    check(project, Line(name="sample", classes=("bolt",)), "bolt", version)
    unused.unlink()
    check(project, Line(name="sample", classes=("bolt",)), "bolt", version)
