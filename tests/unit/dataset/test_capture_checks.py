"""What capture and feedback refuse before they copy, what they leave out, and what stays away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from patchae.config import Validation
from patchae.dataset.capturing import capture
from patchae.dataset.labelling import LOG, bring_back
from patchae.errors import DataError
from patchae.files import digests_of
from patchae.project import Project
from tests.support import patchae, write_class, write_image

ROTATED = Image.Exif()
ROTATED[0x0112] = 6
UNFIT: dict[str, tuple[str, str]] = {
    "rotated.jpg": ("RGB", "no EXIF rotation"),
    "clear.png": ("RGBA", "L or RGB, not RGBA"),
    "palette.png": ("P", "L or RGB, not P"),
    "wide.png": ("I;16", "L or RGB, not I;16"),
    "pages.tif": ("RGB", "one page or frame, not 2"),
    "small.png": ("RGB", "64 to 8192 px on both sides, not 40 x 64"),
    "black.png": ("RGB", "contrast of at least 0.01"),
}


def _write(path: Path) -> None:
    """An image that validation refuses under the default rules, as its name says."""
    write_image(path.with_name("fit.png"), 99)
    image = Image.open(path.with_name("fit.png")).copy()
    path.with_name("fit.png").unlink()
    more: dict[str, Any] = {}
    if path.stem == "rotated":
        more = {"exif": ROTATED}
    elif path.stem == "pages":
        more = {"save_all": True, "append_images": [image.copy()]}
    elif path.stem == "small":
        image = image.crop((0, 0, 40, 64))
    elif path.stem == "black":
        image = Image.new("RGB", image.size)
    elif path.stem == "wide":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 256)
    else:
        image = image.convert(UNFIT[path.name][0])
    image.save(path, **more)


@pytest.fixture
def bolt(project: Project) -> Path:
    write_class(project.data, "bolt", train_good=4, test_good=2, test_defect=2)
    return project.data / "bolt"


@pytest.mark.parametrize("name", UNFIT)
def test_what_validation_would_refuse_is_refused_by_its_own_name(
    project: Project, bolt: Path, tmp_path: Path, name: str
) -> None:
    drop = tmp_path / "drop"
    write_image(drop / "shift" / "a.png", 70)
    _write(drop / "shift" / name)
    (drop / "cut.png").write_bytes((drop / "shift" / "a.png").read_bytes()[:99])
    before = digests_of(project.root)
    with pytest.raises(DataError) as error:
        capture(project, "bolt", drop)
    assert f"shift/{name}: expected {UNFIT[name][1]}" in str(error.value)
    assert "cut.png: truncated or damaged" in str(error.value), "all problems at once"
    assert "a.png" not in str(error.value)
    for label in ("good", "dent"):
        with pytest.raises(DataError) as error:
            bring_back(project, "bolt", [*(drop / "shift").iterdir()], label, actor="ann")
        assert f"{name}: expected {UNFIT[name][1]}" in str(error.value)
    after = digests_of(project.root)
    assert {path for path in after.keys() ^ before.keys() if path.startswith("data/")} == set()
    assert not (project.root / LOG).exists()


def test_the_rules_of_the_line_decide(project: Project, bolt: Path, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    _write(drop / "clear.png")
    rules = Validation.model_validate({"modes": ["RGB", "RGBA"]})
    assert len(capture(project, "bolt", drop, rules=rules, dry_run=True).new) == 1
    rules = Validation.model_validate({"severity": {"allowed_mode": "warning"}})
    assert len(capture(project, "bolt", drop, rules=rules, dry_run=True).new) == 1
    (drop / "clear.png").unlink()
    write_image(drop / "a.png", 70)
    rules = Validation.model_validate({"min_side_px": 65})
    with pytest.raises(DataError, match=r"a\.png: expected 65 to 8192 px"):
        capture(project, "bolt", drop, rules=rules)


def test_the_command_goes_by_the_lines_rules(
    project: Project,
    bolt: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project.root)
    project.lines_file.write_text(
        "lines:\n  sample:\n    classes: [bolt]\n    validation: {modes: [L]}\n"
    )
    write_image(tmp_path / "drop" / "a.png", 70)
    for words in (
        ["capture", "sample", "bolt", str(tmp_path / "drop")],
        ["feedback", "sample.bolt", str(tmp_path / "drop" / "a.png"), "--label", "dent"],
    ):
        code, _, err = patchae(capsys, monkeypatch, *words)
        assert code == 2
        assert "a.png: expected L, not RGB" in err


def test_a_removed_image_does_not_come_back_unless_somebody_says_so(
    project: Project, bolt: Path, tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    for number in range(3):
        write_image(drop / f"{number}.png", 70 + number)
    shutil.copy(bolt / "test" / "good" / "000.png", drop / "old.png")
    first, second, _ = capture(project, "bolt", drop).new
    (project.data / first).unlink()
    (bolt / "test" / "good" / "000.png").unlink()
    done = capture(project, "bolt", drop)
    assert (done.new, done.known, done.removed) == ((), 2, 2)
    moved = bolt / "test" / "dent" / "1.png"
    moved.parent.mkdir()
    (project.data / second).rename(moved)
    assert capture(project, "bolt", drop).removed == 2, "one that was moved is known"
    back = capture(project, "bolt", drop, again=True)
    assert (len(back.new), back.removed) == (2, 0)
    assert first in back.new


def test_a_removed_image_that_rules_refuse_now_stops_nothing(
    project: Project, bolt: Path, tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    _write(drop / "clear.png")
    (name,) = capture(
        project, "bolt", drop, rules=Validation.model_validate({"modes": ["RGB", "RGBA"]})
    ).new
    (project.data / name).unlink()
    write_image(drop / "a.png", 70)
    done = capture(project, "bolt", drop)
    assert (len(done.new), done.removed) == (1, 1)


def test_what_a_crash_kept_out_or_tore_is_not_taken_for_removed(
    project: Project, bolt: Path, tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    for number in range(2):
        write_image(drop / f"{number}.png", 70 + number)
    first, second = capture(project, "bolt", drop).new
    torn = project.captured.read_bytes()[:-9]
    project.captured.write_bytes(torn)
    assert capture(project, "bolt", drop).known == 2, "which writes the torn line again"
    (project.data / first).unlink()
    (project.data / second).unlink()
    assert capture(project, "bolt", drop).removed == 2
    project.captured.unlink()  # killed after the first copy: nothing is noted yet
    assert set(capture(project, "bolt", drop).new) == {first, second}


def test_a_class_that_was_emptied_begins_anew(project: Project, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    for number in range(3):
        write_image(drop / f"{number}.png", 70 + number)
    new = capture(project, "bolt", drop).new
    shutil.rmtree(project.data / "bolt")
    assert capture(project, "bolt", drop).new == new


def test_unreadable_types_are_named_and_readmes_are_counted(
    project: Project,
    bolt: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project.root)
    drop = tmp_path / "drop"
    write_image(drop / "a.webp", 70)
    write_image(drop / ".thumbs" / "a.png", 71)
    (drop / "README.md").write_text("x")
    words = ["capture", "sample", "bolt", str(drop), "--json"]
    code, out, _ = patchae(capsys, monkeypatch, *words, "--dry-run")
    told = json.loads(out.splitlines()[-1])
    assert (code, len(told["new"]), told["ignored"], told["left_out"]) == (0, 1, 2, [])
    (drop / "shift 2").mkdir()
    (drop / "shift 2" / "b.HEIC").write_bytes(b"x")
    (drop / "gone.png").symlink_to(drop / "nothing.png")
    code, out, _ = patchae(capsys, monkeypatch, *words)
    told = json.loads(out.splitlines()[-1])
    assert (code, len(told["new"]), told["ignored"]) == (1, 1, 2)
    assert [(it["path"], it["kind"], it["type"]) for it in told["left_out"]] == [
        ("gone.png", "other", ""),
        ("shift 2/b.HEIC", "unreadable", "HEIC"),
    ]
    assert "1 image of type HEIC is not read (shift 2/b.HEIC): convert" in out
    assert "gone.png" in out


def test_feedback_names_what_is_no_image_of_a_part(
    project: Project, bolt: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "7.png", 70)
    write_image(tmp_path / "7_GT.png", 71)
    (tmp_path / "b.heic").write_bytes(b"x")
    for name, why in {
        "7_GT.png": "7_GT.png: a mask by its name",
        "b.heic": "b.heic: images of type HEIC are not read; convert",
        "c.png": "c.png: no such file",
        "plant": "plant: a folder; name the images in it",
    }.items():
        with pytest.raises(DataError, match=why):
            bring_back(project, "bolt", [tmp_path / "7.png", tmp_path / name], "dent", actor="ann")


def test_a_defective_image_that_was_removed_is_not_captured_among_the_good_ones(
    project: Project, bolt: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "drop" / "a.png", 70, defect=True)
    (name,) = bring_back(project, "bolt", [tmp_path / "drop" / "a.png"], "dent", actor="ann").new
    (project.data / name).unlink()
    done = capture(project, "bolt", tmp_path / "drop")
    assert (done.new, done.removed) == ((), 1)
