"""The sample: the same bytes everywhere, masks that tell the truth, nobody's files touched."""

from __future__ import annotations

import io
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from patchae.dataset.sample import CLASSES, render, rendering
from patchae.dataset.sample.draws import Draws
from patchae.dataset.sample.fixedpoint import ONE, TURN, bearing, direction, root
from patchae.dataset.sample.png import encode
from patchae.dataset.sample.rendering import DIGESTS, PRODUCTS, digest_of
from patchae.errors import DataError, UsageError


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four classes, rendered once; tests only read it."""
    folder = tmp_path_factory.mktemp("sample")
    render(folder)
    return folder


@pytest.fixture
def mesh(sample: Path, tmp_path: Path) -> Path:
    """A copy of the quickest class, for a test that changes it. Returns the folder above it."""
    shutil.copytree(sample / "mesh", tmp_path / "mesh")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def pixels(content: bytes | Path) -> np.ndarray:
    with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize("name", CLASSES)
def test_every_byte_is_the_one_that_is_known(sample: Path, name: str) -> None:
    assert digest_of(sample / name) == DIGESTS[name]


def test_layout_is_that_of_mvtec_ad(sample: Path) -> None:
    assert sorted(folder.name for folder in sample.iterdir()) == sorted(CLASSES)
    for name in CLASSES:
        folder = sample / name
        assert {path.name for path in folder.iterdir()} == {"train", "test", "ground_truth"}
        kinds = {path.name for path in (folder / "test").iterdir()} - {"good"}
        assert len(kinds) == 4
        assert kinds == {path.name for path in (folder / "ground_truth").iterdir()}
        assert [path.name for path in (folder / "train").iterdir()] == ["good"]
        assert len(list((folder / "train" / "good").iterdir())) == 60
        assert len(list((folder / "test" / "good").iterdir())) == 30
        for kind in kinds:
            photos = {path.stem for path in (folder / "test" / kind).iterdir()}
            masks = {path.name for path in (folder / "ground_truth" / kind).iterdir()}
            assert len(photos) == 7
            assert masks == {f"{stem}_mask.png" for stem in photos}


def test_pillow_reads_every_image_and_no_two_photos_are_equal(sample: Path) -> None:
    seen = {}
    for path in sample.rglob("*.png"):
        is_mask = "ground_truth" in path.parts
        with Image.open(path) as image:
            image.load()
            assert image.size == (160, 160)
            grey = is_mask or path.is_relative_to(sample / "mesh")
            assert image.mode == ("L" if grey else "RGB")
            if is_mask:
                assert set(image.getdata()) == {0, 255}
            else:
                seen[image.tobytes()] = path
    assert len(seen) == len(CLASSES) * (60 + 30 + 4 * 7)


def test_all_classes_together_stay_small(sample: Path) -> None:
    assert sum(len(content) for content in contents(sample).values()) < 35_000_000


@pytest.mark.parametrize("name", CLASSES)
def test_a_mask_is_where_the_defect_changed_the_photo(sample: Path, name: str) -> None:
    for path in (sample / name / "ground_truth").rglob("*.png"):
        kind, stem = path.parent.name, path.name.removesuffix("_mask.png")
        photo = pixels(sample / name / "test" / kind / f"{stem}.png")
        flawless = PRODUCTS[name].good(f"test/{kind}/{stem}").astype(int)
        change = np.abs(photo - flawless).reshape(160, 160, -1).max(-1)
        mask = pixels(path) > 0
        assert not change[~mask].any()
        assert (change[mask] > 0).mean() > 0.85
        assert 10 <= mask.sum() < 160 * 160 / 10


@pytest.mark.parametrize("name", CLASSES)
def test_the_name_of_a_photo_decides_it(name: str) -> None:
    product = PRODUCTS[name]
    kind = product.kinds[0]
    assert (product.good("a") == product.good("a")).all()
    assert (product.good("a") != product.good("b")).any()
    weak, strong = (product.defective("a", kind, strength)[1] for strength in (ONE // 2, ONE))
    assert (strong > 0).sum() > (weak > 0).sum()


def test_rendering_again_touches_nothing(mesh: Path) -> None:
    files = sorted(path for path in mesh.rglob("*") if path.is_file())
    for path in files:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    render(mesh, classes=["mesh"])
    assert sorted(path for path in mesh.rglob("*") if path.is_file()) == files
    assert {path.stat().st_mtime for path in files} == {1_000_000_000}


def test_what_is_whole_is_not_rendered_again(mesh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_files", None)
    steps: list[tuple[str, int, int]] = []
    render(mesh, classes=["mesh"], progress=lambda *step: steps.append(step))
    assert steps == [("checking mesh", 146, 146)]


def test_an_interrupted_rendering_is_finished_by_the_next(mesh: Path) -> None:
    whole = contents(mesh)
    folder = mesh / "mesh" / "train" / "good"
    (folder / "059.png").unlink()
    (folder / ".059.png.k3j9x_2a").write_bytes(whole["mesh/train/good/059.png"][:100])
    steps: list[tuple[str, int, int]] = []
    render(mesh, classes=["mesh"], progress=lambda *step: steps.append(step))
    assert contents(mesh) == whole
    assert [done for _, done, _ in steps] == list(range(1, len(whole) + 1))
    assert {total for *_, total in steps} == {len(whole)}


@pytest.mark.parametrize("name", ["test/good/photo.png", "notes.txt", "train/good/.hidden"])
def test_foreign_files_are_named_and_stay(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mesh" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(DataError, match="not part of the sample") as caught:
        render(tmp_path)
    assert caught.value.where == str(path)
    assert contents(tmp_path) == {f"mesh/{name}": b"mine"}


def test_another_image_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mesh" / "train" / "good" / "000.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match="not the sample's") as caught:
        render(tmp_path, classes=["mesh"])
    assert caught.value.where == str(path)
    assert path.read_bytes() == b"mine"


def test_an_unknown_class_is_wrong_use_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no class 'bolt'"):
        render(tmp_path, classes=["mesh", "bolt"])
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "mesh").write_text("mine")
    with pytest.raises(DataError, match="cannot be written"):
        render(tmp_path, classes=["mesh"])
    assert (tmp_path / "mesh").read_text() == "mine"


@given(st.integers(1, 300), st.integers(1, 300), st.booleans(), st.integers(0, 2**32))
def test_png_keeps_every_pixel(height: int, width: int, color: bool, seed: int) -> None:
    shape = (height, width, 3) if color else (height, width)
    image = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    assert (pixels(encode(image)) == image).all()


@given(st.lists(st.integers(0, 2**52 - 1), min_size=1))
def test_root_is_the_exact_integer_root(squares: list[int]) -> None:
    assert root(np.array(squares)).tolist() == [math.isqrt(square) for square in squares]


@given(st.integers(0, TURN - 1))
def test_angles_are_true_to_their_precision(angle: int) -> None:
    x, y = direction(angle)
    assert abs(x - ONE * math.cos(2 * math.pi * angle / TURN)) <= 0.501
    assert abs(y - ONE * math.sin(2 * math.pi * angle / TURN)) <= 0.501
    back = int(bearing(np.array([x]), np.array([y]))[0])
    assert abs((back - angle + TURN // 2) % TURN - TURN // 2) <= TURN // 1000


@given(st.text(), st.text(), st.integers(-1000, 1000), st.integers(0, 1000))
def test_numbers_lie_in_their_range_and_follow_their_name(
    name: str, what: str, low: int, span: int
) -> None:
    draws = Draws(name.encode(errors="ignore").decode())
    what = what.encode(errors="ignore").decode()
    number = draws.between(what, low, low + span)
    assert low <= number <= low + span
    assert number == Draws(draws.name).between(what, low, low + span)


def test_noise_has_the_mean_and_deviation_that_it_promises() -> None:
    white = Draws("any").gauss("grain")
    assert abs(white.mean()) < 4 * ONE / 160
    assert abs(white.std() / ONE - 1) < 0.02
    assert abs(np.corrcoef(white[:, 1:].ravel(), white[:, :-1].ravel())[0, 1]) < 0.03
