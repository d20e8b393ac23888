"""Looks at a real champion: what stays as it was is quiet, what changed is named."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from patchae.config import DriftPolicy
from patchae.drift import compare, reference, store
from patchae.drift.finding import Drift
from patchae.drift.look import Watch, look
from patchae.drift.numbers import STATISTICS
from patchae.drift.yardstick import _shift
from patchae.errors import DataError, UsageError
from patchae.lines_file import load_lines
from patchae.predictions import parts
from patchae.project import Project
from patchae.report.drift_page import write_drift_page
from patchae.steps.monitor import monitor
from tests.support import patchae, write_image
from tests.support.plant import Works, the_works
from tests.unit.predictions.test_log import decision

LENS = "works.lens"
WATCH = Watch(DriftPolicy(images=40, least_images=10), classes=2)


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    made = the_works(tmp_path_factory)
    made.tracking()
    return made


@pytest.fixture
def project(works: Works) -> Iterator[Project]:
    yield works.plant.project
    shutil.rmtree(works.plant.project.drift, ignore_errors=True)
    shutil.rmtree(works.plant.project.recent, ignore_errors=True)
    shutil.rmtree(works.plant.project.predictions, ignore_errors=True)


@pytest.fixture
def recent(tmp_path: Path) -> Path:
    """Thirty good images that no model has seen."""
    write_many(tmp_path / "recent", 30)
    return tmp_path / "recent"


def write_many(folder: Path, count: int, start: int = 0, *, light: float = 1.0) -> None:
    """Good images that no model has seen, under more or less light, one after the other."""
    for number in range(start, start + count):
        file = folder / f"{number:03d}.png"
        write_image(file, 7_000_000 + number)
        if light != 1:
            with Image.open(file) as image:
                pixels = np.asarray(image)
            Image.fromarray((pixels * light).astype(np.uint8)).save(file)


def test_what_is_as_it_was_is_quiet(works: Works, project: Project, recent: Path) -> None:
    found = look(project, works.tracking(), LENS, WATCH, recent)
    assert [one.name for one in found.readings] == [*STATISTICS, "alarms"]
    assert not found.drifted
    assert found.images == 30
    assert store.latest(project, LENS) == found


def test_images_that_are_left_out_are_counted_and_end_the_command_with_1(
    works: Works,
    project: Project,
    recent: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_many(recent, 60)
    pages = [Image.open(recent / f"00{number}.png") for number in range(2)]
    pages[0].save(recent / "pages.tif", save_all=True, append_images=pages[1:])
    (recent / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (recent / "shift.log").write_text("no image, and nobody's loss")
    (recent / "._001.png").write_bytes(b"a Mac's")
    write_image(recent / ".thumbs" / "001.png", 1)
    (recent / "Thumbs.db").write_bytes(b"a Windows'")
    (recent / "gone.png").symlink_to(recent / "nowhere.png")
    monkeypatch.chdir(project.root)
    words = ("monitor", "works", "--class", "lens", "--images", str(recent), "--json")
    code, out, err = patchae(capsys, monkeypatch, *words)
    (seen,) = json.loads(out.splitlines()[-1])["classes"]
    assert (seen["images"], seen["left_out"], seen["confirmed"]) == (60, 3, [])
    assert code == 1
    assert "3 images were left out" in err
    assert "pages.tif: not looked at: a file of several images" in err
    assert "phone.heic" in err
    assert "gone.png" in err
    assert "thumbs" not in err.lower()


def test_darker_images_are_drift_that_the_next_look_confirms(
    works: Works, project: Project, tmp_path: Path
) -> None:
    tracking, recent = works.tracking(), tmp_path / "recent"
    write_many(recent, 30, light=0.8)
    first = look(project, tracking, LENS, WATCH, recent)
    (brightness,) = (one for one in first.readings if one.name == "brightness")
    assert brightness.drifted
    assert brightness.effect < -1
    write_many(recent, 30, 30, light=0.8)
    second = look(project, tracking, LENS, WATCH, recent)
    assert second.images == 30
    assert "brightness" in second.confirmed
    assert "brightness" in second.reason
    assert len(store.all_of(project, LENS)) == 2
    page = write_drift_page(project, second).read_text()
    assert "brightness" in page
    assert page.count("data:image/jpeg") == len(second.worst) + len(second.ordinary) == 16
    assert "http" not in page.replace("http-equiv", "")


def test_a_change_is_seen_although_most_images_are_from_before(
    works: Works, project: Project, tmp_path: Path
) -> None:
    """What an earlier look has had is not looked at again, and hides nothing."""
    tracking, recent = works.tracking(), tmp_path / "recent"
    watch = Watch(DriftPolicy(images=200, least_images=20), classes=2)
    write_many(recent, 60)
    assert not look(project, tracking, LENS, watch, recent).drifted
    write_many(recent, 40, 60, light=0.8)
    changed = look(project, tracking, LENS, watch, recent)
    assert changed.images == 40
    assert changed.drifted


def test_a_policy_without_any_look_is_refused() -> None:
    with pytest.raises(ValueError, match="least_images 50 is more than images 40"):
        DriftPolicy(images=40)


def test_an_image_is_looked_at_once(works: Works, project: Project, recent: Path) -> None:
    tracking = works.tracking()
    found = look(project, tracking, LENS, WATCH, recent)
    assert len(set(found.seen)) == 30
    shutil.copyfile(recent / "000.png", recent / "under_another_name.png")
    with pytest.raises(DataError, match="0 recent images that no look has had"):
        look(project, tracking, LENS, WATCH, recent)
    assert store.all_of(project, LENS) == [found]


def test_what_was_passed_over_is_not_recent_any_more(
    works: Works, project: Project, tmp_path: Path
) -> None:
    """The service kept more than one look is at: the next one is at what came afterwards."""
    tracking, day = works.tracking(), project.recent / LENS / "2026-03-04"
    write_many(day, 60)
    newest = look(project, tracking, LENS, WATCH)
    assert newest.images == 40
    with pytest.raises(DataError, match="0 recent images"):
        look(project, tracking, LENS, WATCH)
    write_many(day, 40, 60)
    assert look(project, tracking, LENS, WATCH).images == 40


def test_what_came_before_its_champion_says_nothing_of_it(
    works: Works, project: Project, recent: Path
) -> None:
    day = project.recent / LENS / "2026-03-04"
    shutil.copytree(recent, day)
    moved = works.plant.ledger.entries(LENS, ["move"])[-1]
    before = datetime.fromisoformat(moved.time).timestamp() - 1
    for file in day.iterdir():
        os.utime(file, (before, before))
    with pytest.raises(DataError, match="0 recent images"):
        look(project, works.tracking(), LENS, WATCH)


def test_a_folder_that_somebody_names_does_not_meddle_with_the_looks_of_the_line(
    works: Works, project: Project, tmp_path: Path
) -> None:
    """Its files may be of any time, and what it shows confirms nothing of the camera."""
    tracking, day, folder = works.tracking(), project.recent / LENS / "d", tmp_path / "named"
    write_many(day, 40, light=0.85)
    first = look(project, tracking, LENS, WATCH)
    assert first.drifted
    write_many(folder, 40, 100, light=0.85)
    late = time.time() + 10 * 365 * 86_400
    for file in folder.iterdir():
        os.utime(file, (late, late))
    named = look(project, tracking, LENS, WATCH, folder)
    assert named.folder
    write_many(day, 40, 40)
    again = look(project, tracking, LENS, WATCH)
    assert again.images == 40
    assert not again.drifted


def test_what_batches_say_is_no_alarm_of_the_line(works: Works, project: Project) -> None:
    """Somebody scores a bin of rejects with the champion."""
    day = project.recent / LENS / "2026-03-04"
    write_many(day, 40)
    now = datetime.now(UTC)
    for file in day.iterdir():
        os.utime(file, (now.timestamp() + 1,) * 2)
    version = works.plant.standing(LENS)["champion"]
    told = [
        decision(
            number, now, model=LENS, version=version, origin=origin, anomalous=origin == "batch"
        )
        for number, origin in enumerate(["service"] * 40 + ["batch"] * 400)
    ]
    parts.write(project.predictions, "some", told)
    found = look(project, works.tracking(), LENS, WATCH)
    (alarms,) = (one for one in found.readings if one.name == "alarms")
    assert alarms.recent == 0
    assert not found.drifted


def test_a_look_of_a_clock_that_was_ahead_blinds_no_later_one(
    works: Works, project: Project
) -> None:
    tracking, day = works.tracking(), project.recent / LENS / "2026-03-04"
    write_many(day, 40)
    found = look(project, tracking, LENS, WATCH)
    shutil.rmtree(store.folder_of(project, found))
    ahead = (datetime.now(UTC) + timedelta(days=365)).isoformat(timespec="milliseconds")
    store.save(project, replace(found, checked=ahead, until=ahead), [], [])
    write_many(day, 40, 40)
    again = look(project, tracking, LENS, WATCH)
    assert again.images == 40
    assert store.latest(project, LENS) == again


def test_images_that_are_too_alike_wait_for_more(
    works: Works, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lamp that fades: each image is like the one before, and twenty show nothing."""
    tracking, folder = works.tracking(), tmp_path / "recent"
    for count in ("waits_before", "note_wait"):  # however near midnight it is
        monkeypatch.setattr(store, count, partial(_on_one_day, getattr(store, count)))
    earlier, real = [], compare.level

    def level(yearly: float, classes: int, before: int) -> float:
        earlier.append(before)
        return real(yearly, classes, before)

    monkeypatch.setattr(compare, "level", level)
    for number in range(20):
        write_many(folder, 1, number, light=1 - number / 200)
    with pytest.raises(DataError, match="follow each other too closely to show a change of"):
        look(project, tracking, LENS, WATCH, folder)
    assert store.all_of(project, LENS) == []
    for count in (0, 1, 1):  # the same images once more are no further chance of a false alarm
        write_many(folder, count, 20 + sum(earlier), light=0.9)
        with pytest.raises(DataError, match="too closely"):
            look(project, tracking, LENS, WATCH, folder)
    write_many(folder, 20, 22, light=0.5)
    found = look(project, tracking, LENS, WATCH, folder)
    assert found.images == 40
    assert earlier == [0, 0, 1, 2, 3], "of the day's looks, those that waited count, too"


def _on_one_day(real: Callable[..., Any], project: Project, model: str, _: str, *rest: Any) -> Any:
    return real(project, model, "2026-05-04", *rest)


def test_all_classes_of_a_line_share_its_false_alarms(
    works: Works, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Watch] = []

    def looked(*arguments: Any, **_: Any) -> Drift:
        given.append(arguments[3])
        raise DataError("nothing there", where="here", mend="wait")

    monkeypatch.setattr("patchae.steps.monitor.look_at", looked)
    named = project.lines_file.read_text()
    try:
        for classes in (["disc", "lens"], "all"):
            works.plant.lines["works"]["classes"] = classes
            works.plant.write_lines()
            list(monitor(project, works.tracking(), works.plant.read("works"), ["lens"]))
    finally:
        works.plant.lines["works"]["classes"] = ["disc", "lens"]
        project.lines_file.write_text(named)
    every = sum(one.is_dir() for one in project.data.iterdir())  # other tests bring some in
    assert [watch.classes for watch in given] == [2, every]


def test_a_line_is_looked_at_by_what_the_service_kept(works: Works, project: Project) -> None:
    write_many(project.recent / LENS / "2026-03-04", 50)
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
    works: Works, project: Project, tmp_path: Path
) -> None:
    line = load_lines(project.lines_file).line("works")
    tracking, kept = works.tracking(), project.recent / LENS / "2026-03-04"
    write_many(kept, 50, light=0.6)
    (first,) = monitor(project, tracking, line, ["lens"])
    write_many(kept, 50, 50, light=0.6)
    (second,) = monitor(project, tracking, line, ["lens"])
    assert second.due
    assert second.drift
    assert first.drift != second.drift
    # Nobody could be asked, and no image came since: what was confirmed stands.
    (again,) = monitor(project, tracking, line, ["lens"])
    assert again.why_not
    assert again.drift == second.drift
    assert again.due
    store.mark_asked(project, second.drift)
    (asked,) = monitor(project, tracking, line, ["lens"])
    assert asked.drift
    assert not asked.due
    write_many(kept, 50, 100, light=0.6)
    (later,) = monitor(project, tracking, line, ["lens"])
    assert later.drift
    assert later.drift.confirmed
    assert later.drift.asked
    assert not later.due


def test_the_reference_never_has_a_test_image(works: Works, project: Project, recent: Path) -> None:
    look(project, works.tracking(), LENS, WATCH, recent)
    (kept,) = (project.drift / LENS).glob("reference-*.npz")
    with np.load(kept) as held:
        assert all(path.startswith("lens/train/good/") for path in held["paths"])
        assert 0 < held["calibrated"].sum() < len(held["calibrated"])


def test_a_reference_has_scores_or_there_is_none(
    works: Works, project: Project, recent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(project, works.tracking(), LENS, WATCH, recent)
    (kept,) = (project.drift / LENS).glob("reference-*.npz")
    with np.load(kept) as held:
        numbers = dict(held)
    without = {"calibrated": np.zeros_like(numbers["calibrated"])}
    np.savez(kept, **numbers | without)  # as it was kept once, without any score to compare with
    away = dict.fromkeys(numbers["paths"][numbers["calibrated"]].tolist())
    for number, path in enumerate(away):
        away[path] = shutil.move(project.data / path, tmp_path / f"{number}.png")
    monkeypatch.setattr(reference, "FEWEST", 10)
    write_many(recent, 40, 30)
    try:
        with pytest.raises(DataError, match="and none that calibrated it") as caught:
            look(project, works.tracking(), LENS, WATCH, recent)
        assert "patchae pull" in str(caught.value)
    finally:
        for path, file in away.items():
            shutil.move(file, project.data / path)
    assert look(project, works.tracking(), LENS, WATCH, recent).images == 40


def test_what_cannot_be_looked_at_is_said(works: Works, project: Project, tmp_path: Path) -> None:
    tracking = works.tracking()
    with pytest.raises(UsageError, match="no champion"):
        look(project, tracking, "works.nothing", WATCH)
    with pytest.raises(DataError, match="0 recent images"):
        look(project, tracking, LENS, WATCH)
    with pytest.raises(DataError, match="no such folder"):
        look(project, tracking, LENS, WATCH, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"0 recent images(?s:.*)put more images there") as few:
        look(project, tracking, LENS, WATCH, tmp_path / "empty")
    assert "--images" not in str(few.value), "a folder was named already"
    away = tmp_path / "away"
    shutil.move(project.data / "lens" / "train", away)
    try:
        write_many(tmp_path / "recent", 12)
        with pytest.raises(DataError, match="patchae pull"):
            look(project, tracking, LENS, WATCH, tmp_path / "recent")
    finally:
        shutil.move(away, project.data / "lens" / "train")


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -5), (-4, 6)])
def test_a_shift_is_measured_in_percent(right: int, down: int) -> None:
    random = np.random.default_rng(0)
    plain = Image.fromarray(random.integers(0, 255, (64, 64), dtype=np.uint8))
    moved = ImageChops.offset(plain, right, down)
    one, other = (np.asarray(image, np.float32) / 255 for image in (moved, plain))
    assert _shift(one, other) == pytest.approx((100 * right / 64, 100 * down / 64), abs=1.0)
