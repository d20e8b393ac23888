"""Which files `patchae score` scores, and that it names every image that it does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from patchae.files import sha256_file
from patchae.predictions.reading import predictions
from tests.integration.cli.conftest import Command, Told
from tests.support.plant import Works

MODEL = "works.lens"


@pytest.fixture
def part(works: Works) -> Image.Image:
    """A good part of the class."""
    path = works.plant.project.data / "lens" / "test" / "good" / "000.png"
    with Image.open(path) as image:
        return image.convert("RGB")


def answer(told: Told) -> dict[str, Any]:
    """The object that a command printed."""
    value: dict[str, Any] = json.loads(
        next(line for line in told.out.splitlines() if line.startswith("{"))
    )
    return value


def test_a_folder_is_scored_whatever_its_images_are_called(
    run: Command, part: Image.Image, tmp_path: Path
) -> None:
    folder = tmp_path / "drop"
    (folder / ".thumbs").mkdir(parents=True)
    (folder / "@eaDir").mkdir()
    for name in ("a.png", "b.webp", "c.JPG", "d.jfif", ".thumbs/a.png", "@eaDir/a.png"):
        part.save(folder / name, format="JPEG" if name.endswith("jfif") else None)
    part.save(folder / "phone.jpg", "MPO", save_all=True, append_images=[part])
    (folder / "._a.png").write_bytes(b"\0\5\x16\7 of a Mac")
    (folder / "Thumbs.db").touch()
    told = run("score", MODEL, str(folder), "--out", str(tmp_path / "out"), "--json")
    assert told.code == 0, told.err
    counts = answer(told)["counts"]
    assert (counts["images"], counts["unreadable"], counts["doubtful"]) == (5, 0, 0)
    assert answer(told)["no_images"] == []
    (folder / "e.heic").touch()
    (folder / "notes.txt").touch()
    told = run("score", MODEL, str(folder), "--out", str(tmp_path / "out"), "--json")
    assert told.code == 1
    (line,) = answer(told)["not_scored"]
    assert "HEIC" in line
    assert "e.heic" in line
    assert answer(told)["no_images"] == ["1 file is no image (notes.txt)"]


def test_a_link_to_nothing_that_is_called_like_an_image_is_missed(
    run: Command, part: Image.Image, tmp_path: Path
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    part.save(folder / "a.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    told = run("score", MODEL, str(folder), "--out", str(tmp_path / "out"), "--json")
    assert told.code == 1
    assert answer(told)["not_scored"] == ["1 file is no image (gone.png)"]
    assert answer(told)["no_images"] == []


def test_a_folder_behind_a_link_is_named(run: Command, part: Image.Image, tmp_path: Path) -> None:
    for name in ("drop", "elsewhere"):
        (tmp_path / name).mkdir()
        part.save(tmp_path / name / "a.png")
    (tmp_path / "drop" / "more").symlink_to(tmp_path / "elsewhere")
    told = run("score", MODEL, str(tmp_path / "drop"), "--out", str(tmp_path / "out"), "--json")
    assert (told.code, answer(told)["counts"]["images"]) == (1, 1)
    (line,) = answer(told)["not_scored"]
    assert line == (
        "1 linked folder is not looked into (more): name the folder behind the link as well"
    )


def test_what_is_tried_image_by_image_is_not_logged(
    run: Command, works: Works, part: Image.Image, tmp_path: Path
) -> None:
    part.putpixel((0, 0), (1, 2, 3))  # unlike any that another test scores
    part.save(tmp_path / "a.png")
    assert run("score", f"{MODEL}/1", str(tmp_path / "a.png")).code == 0
    since = datetime.now(UTC) + timedelta(days=1)
    none = run("predictions", f"{MODEL}/1", "--since", since.date().isoformat(), "--json")
    assert (none.code, answer(none)["decisions"]) == (1, 0)
    assert f"no decision is logged of {MODEL}" in none.err
    assert "`patchae score MODEL FILE` only looks, and logs nothing" in none.err
    image = sha256_file(tmp_path / "a.png")
    assert image not in {one.image for one in predictions(works.plant.project)}
    (tmp_path / "drop").mkdir()
    part.save(tmp_path / "drop" / "a.png")
    assert (
        run("score", f"{MODEL}/1", str(tmp_path / "drop"), "--out", str(tmp_path / "o")).code == 0
    )
    told = run("predictions", f"{MODEL}/1", "--json")
    assert (told.code, answer(told)["decisions"] > 0) == (0, True)
    assert image in {one.image for one in predictions(works.plant.project)}


def spoilt(part: Image.Image, kind: str, path: Path) -> Path:
    """A file whose score would mean nothing."""
    if kind == "two pages":
        part.save(path.with_suffix(".tif"), save_all=True, append_images=[part])
        return path.with_suffix(".tif")
    if kind == "turned by EXIF":
        exif = Image.Exif()
        exif[0x0112] = 6
        part.save(path.with_suffix(".jpg"), exif=exif)
        return path.with_suffix(".jpg")
    assert kind == "12 bits in a 16-bit file"
    wide = np.asarray(part.convert("L")).astype(np.uint16) * 16
    Image.fromarray(wide).save(path)
    return path


@pytest.mark.parametrize("kind", ["two pages", "turned by EXIF", "12 bits in a 16-bit file"])
def test_what_makes_a_score_meaningless_is_refused_by_name(
    run: Command, part: Image.Image, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    part.save(folder / "good.png")
    path = spoilt(part, kind, folder / "bad.png")
    alone = run("score", MODEL, str(path))
    assert alone.code == 2
    assert path.name in alone.err
    both = run("score", MODEL, str(folder), "--out", str(tmp_path / "out"), "--json")
    assert both.code == 1
    assert answer(both)["counts"] == {"images": 2, "alarms": 0, "unreadable": 1, "doubtful": 0}
    assert path.name in both.err


@pytest.mark.parametrize("kind", ["10 x 10 px", "transparent"])
def test_what_is_doubtful_is_scored_and_named(
    run: Command, part: Image.Image, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    odd = part.resize((10, 10)) if kind == "10 x 10 px" else part.convert("RGBA")
    if kind == "transparent":
        odd.putalpha(100)
    odd.save(folder / "odd.png")
    alone = run("score", MODEL, str(folder / "odd.png"), "--json")
    assert alone.code == 0, alone.err
    assert answer(alone)["images"][0]["warnings"]
    many = run("score", MODEL, str(folder), "--out", str(tmp_path / "out"), "--json")
    assert answer(many)["counts"]["doubtful"] == 1
    assert "odd.png among them" in many.out


def test_wrong_use_is_refused_before_anything_is_scored(
    run: Command, part: Image.Image, tmp_path: Path
) -> None:
    part.save(tmp_path / "a.png")
    (tmp_path / "README.md").write_text("no image")
    folder = run("score", MODEL, str(tmp_path))
    assert (folder.code, "add --out FOLDER" in folder.err) == (2, True)
    text = run("score", MODEL, str(tmp_path / "README.md"))
    assert (text.code, "README.md" in text.err) == (2, True)
    file = run("score", MODEL, str(tmp_path / "a.png"), "--maps", str(tmp_path / "README.md"))
    assert (file.code, "this is a file" in file.err) == (2, True)
    both = run("score", MODEL, str(tmp_path), "--out", str(tmp_path / "o"), "--maps", "maps")
    assert (both.code, "do not go together" in both.err) == (2, True)


def test_a_map_of_an_image_with_a_very_long_name_is_written(
    run: Command, part: Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / f"{'x' * 250}.png"
    part.save(path)
    told = run("score", MODEL, str(path), "--maps", str(tmp_path / "maps"))
    assert told.code == 0, told.err
    assert len(list((tmp_path / "maps").iterdir())) == 1
