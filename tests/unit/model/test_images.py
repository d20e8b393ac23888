"""Ways into the model: every one ends at the same pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from patchae.errors import DataError
from patchae.images import load_mask
from patchae.model.images import WHITE, load, load_batch, white_of
from tests.support import write_image


@pytest.fixture
def picture() -> Image.Image:
    """A small colour picture, wider than high."""
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (40, 56, 3), np.uint8)).quantize(64).convert(
        "RGB"
    )  # fmt: skip


@pytest.mark.parametrize("size", [32, 64])
def test_every_lossless_mode_of_one_picture_gives_the_same_pixels(
    tmp_path: Path, picture: Image.Image, size: int
) -> None:
    expected = load(np.asarray(picture), size)
    assert expected.shape == (3, size, size)
    assert expected.dtype == torch.uint8
    for mode in ("RGB", "RGBA", "P"):
        path = tmp_path / f"{mode}.png"
        saved = picture.quantize(64) if mode == "P" else picture.convert(mode)
        saved.save(path)
        with Image.open(path) as image:
            assert image.mode == mode
        assert torch.equal(load(path, size), expected), mode
        assert torch.equal(load(str(path), size), expected), mode
    assert torch.equal(load(np.asarray(picture) / 255, size), expected)
    assert torch.equal(load(np.asarray(picture, np.float32) / 255, size), expected)


def test_grey_is_three_equal_channels(tmp_path: Path, picture: Image.Image) -> None:
    grey = np.asarray(picture.convert("L"))
    expected = load(np.stack([grey] * 3, axis=-1), 32)
    assert torch.equal(expected[0], expected[2])
    Image.fromarray(grey).save(tmp_path / "L.png")
    Image.fromarray(grey.astype(np.uint16) * 256 + 17).save(tmp_path / "I;16.png")
    with Image.open(tmp_path / "I;16.png") as image:
        assert image.mode == "I;16"
    for source in (tmp_path / "L.png", tmp_path / "I;16.png", grey, grey[..., None], grey / 255):
        assert torch.equal(load(source, 32), expected)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8,), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((8, 8), np.int64),
        np.zeros((8, 8), bool),
    ],
)
def test_an_array_that_is_no_image_says_what_is_one(array: np.ndarray) -> None:
    with pytest.raises(DataError, match="not an image") as caught:
        load(array, 32)
    assert str(array.shape) in caught.value.what
    assert "(H, W, 3)" in str(caught.value.mend)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "000.png"
    write_image(path, 1)
    whole = path.read_bytes()
    for damaged in (b"", b"text", whole[:20], whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(damaged)
        for read in (load, load_mask):
            with pytest.raises(
                DataError, match=r"not an image|not a readable image|an empty file"
            ) as caught:
                read(path, 32)
            assert caught.value.where == str(path)
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path / "absent.png", 32)


def test_more_pixels_than_allowed_are_not_decoded(tmp_path: Path) -> None:
    file = tmp_path / "wide.png"
    Image.new("L", (40, 30)).save(file)
    assert load(file, 8, max_pixels=1_200).shape == (3, 8, 8)
    for source in (file, file.read_bytes()):
        with pytest.raises(DataError, match="40 x 30 pixels, more than 1,199"):
            load(source, 8, max_pixels=1_199)


def test_a_batch_keeps_its_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for seed, path in enumerate(paths):
        write_image(path, seed)
    batch = load_batch(paths, 32)
    assert torch.equal(batch, torch.stack([load(path, 32) for path in paths]))


def test_a_faint_thin_mask_survives_the_resize(tmp_path: Path) -> None:
    mask = np.zeros((128, 128), np.uint8)
    mask[:, 40:44] = 1  # some tools write 1 rather than 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    small = load_mask(tmp_path / "mask.png", 64)
    assert small.dtype == bool
    assert np.flatnonzero(small.any(axis=0)).tolist() == [20, 21]
    assert small[:, 20:22].all()


@pytest.mark.parametrize(
    ("highest", "white"), [(200, 255), (1023, 1023), (2100, 4095), (4000, 4095), (60_000, WHITE)]
)
def test_white_is_what_the_camera_can_give(tmp_path: Path, highest: int, white: int) -> None:
    paths = []
    for number, top in enumerate((highest // 3, highest)):
        pixels = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    assert white_of(paths) == white
    bright = load(paths[1], 8, white)
    assert bright.max() > 127, "at least half of white"
    assert bright.min() == 0
    # The dark image stays dark: white is a matter of the class, not of the image.
    assert abs(int(load(paths[0], 8, white).max()) - int(bright.max()) / 3) <= 2


def test_white_of_eight_bit_files_is_not_looked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", 1)
    assert white_of([tmp_path / "a.png"]) == WHITE


def test_what_is_brighter_than_white_is_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 5_000, np.uint16)).save(tmp_path / "a.png")
    assert load(tmp_path / "a.png", 8, 4095).unique().tolist() == [255]
