"""Looks at a real champion: what stays as it was is quiet, what changed is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from patchae.config import DriftPolicy
from patchae.drift import store
from patchae.drift.look import Watch, look
from patchae.drift.numbers import STATISTICS
from patchae.drift.yardstick import _shift
from patchae.errors import DataError, UsageError
from patchae.lines_file import load_lines
from patchae.project import Project
from patchae.report.drift_page import write_drift_page
from patchae.steps.monitor import monitor
from tests.flows.plant import Works, one_thread, the_works
from tests.support import write_image

LENS = "works.lens"
WATCH = Watch(DriftPolicy(images=40, least_images=10), classes=2)


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    with one_thread():
        made = the_works(tmp_path_factory)
        made.tracking()
        yield made


@pytest.fixture
def project(works: Works) -> Iterator[Project]:
    yield works.plant.project
    shutil.rmtree(works.plant.project.drift, ignore_errors=True)
    shutil.rmtree(works.plant.project.recent, ignore_errors=True)


@pytest.fixture
def recent(tmp_path: Path) -> Path:
    """Thirty good images that no model has seen."""
    for number in range(30):
        write_image(tmp_path / "recent" / f"{number:03d}.png", 7_000_000 + number)
    return tmp_path / "recent"


def darken(folder: Path) -> None:
    """Light a fifth down."""
    for file in folder.glob("*.png"):
        with Image.open(file) as image:
            pixels = np.asarray(image)
        Image.fromarray((pixels * 0.8).astype(np.uint8)).save(file)


def test_what_is_as_it_was_is_quiet(works: Works, project: Project, recent: Path) -> None:
    found = look(project, works.tracking(), LENS, WATCH, recent)
    assert [one.name for one in found.readings] == [*STATISTICS, "alarms"]
    assert not found.drifted
    assert found.images == 30
    assert store.latest(project, LENS) == found


def test_darker_images_are_drift_that_the_next_look_confirms(
    works: Works, project: Project, recent: Path
) -> None:
    tracking = works.tracking()
    darken(recent)
    first = look(project, tracking, LENS, WATCH, recent)
    (brightness,) = (one for one in first.readings if one.name == "brightness")
    assert brightness.drifted
    assert brightness.effect < -1
    second = look(project, tracking, LENS, WATCH, recent)
    assert "brightness" in second.confirmed
    assert "brightness" in second.reason
    assert len(store.all_of(project, LENS)) == 2
    page = write_drift_page(project, second).read_text()
    assert "brightness" in page
    assert page.count("data:image/jpeg") == len(second.worst) + len(second.ordinary) == 16
    assert "http" not in page.replace("http-equiv", "")


def test_a_line_is_looked_at_by_what_the_service_kept(
    works: Works, project: Project, recent: Path
) -> None:
    day = project.recent / LENS / "2026-03-04"
    shutil.copytree(recent, day)
    line = load_lines(project.lines_file).line("works")
    disc, lens = monitor(project, works.tracking(), line, ["disc", "lens"])
    assert disc.drift is None
    assert disc.why_not
    assert "0 recent images" in disc.why_not
    assert lens.drift is not None
    assert lens.page is not None
    assert lens.page.is_file()
    assert not lens.due


def test_a_retraining_is_asked_for_once_for_a_version(
    works: Works, project: Project, recent: Path
) -> None:
    darken(recent)
    line = load_lines(project.lines_file).line("works")
    tracking = works.tracking()
    seen = [next(monitor(project, tracking, line, ["lens"], recent)) for _ in range(2)]
    assert seen[1].due
    assert seen[1].drift
    store.mark_asked(project, seen[1].drift)
    (again,) = monitor(project, tracking, line, ["lens"], recent)
    assert again.drift
    assert again.drift.confirmed
    assert again.drift.asked
    assert not again.due


def test_the_reference_never_has_a_test_image(works: Works, project: Project, recent: Path) -> None:
    look(project, works.tracking(), LENS, WATCH, recent)
    (kept,) = (project.drift / LENS).glob("reference-*.npz")
    with np.load(kept) as held:
        assert all(path.startswith("lens/train/good/") for path in held["paths"])
        assert 0 < held["calibrated"].sum() < len(held["calibrated"])


def test_what_cannot_be_looked_at_is_said(works: Works, project: Project, tmp_path: Path) -> None:
    tracking = works.tracking()
    with pytest.raises(UsageError, match="no champion"):
        look(project, tracking, "works.nothing", WATCH)
    with pytest.raises(DataError, match="0 recent images"):
        look(project, tracking, LENS, WATCH)
    with pytest.raises(DataError, match="no such folder"):
        look(project, tracking, LENS, WATCH, tmp_path / "none")
    away = tmp_path / "away"
    shutil.move(project.data / "lens" / "train", away)
    try:
        write_many(tmp_path / "recent")
        with pytest.raises(DataError, match="patchae pull"):
            look(project, tracking, LENS, WATCH, tmp_path / "recent")
    finally:
        shutil.move(away, project.data / "lens" / "train")


def write_many(folder: Path) -> None:
    """Enough images for a look."""
    for number in range(12):
        write_image(folder / f"{number}.png", 8_000_000 + number)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -5), (-4, 6)])
def test_a_shift_is_measured_in_percent(right: int, down: int) -> None:
    random = np.random.default_rng(0)
    plain = Image.fromarray(random.integers(0, 255, (64, 64), dtype=np.uint8))
    moved = ImageChops.offset(plain, right, down)
    one, other = (np.asarray(image, np.float32) / 255 for image in (moved, plain))
    assert _shift(one, other) == pytest.approx((100 * right / 64, 100 * down / 64), abs=1.0)
