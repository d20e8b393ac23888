"""What a model may be asked about, by what it learned from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchae.errors import DataError
from patchae.images.learned import Learned, opened


def photo(side: int = 96, seed: int = 0) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 255, (side, side, 3), dtype=np.uint8))


@pytest.fixture
def learned(tmp_path: Path) -> Learned:
    files = []
    for seed in range(3):
        photo(seed=seed).save(file := tmp_path / f"learned{seed}.png")
        files.append(file)
    return Learned.of(files)


def doubts(learned: Learned, file: Path) -> tuple[str, ...]:
    with opened(file) as image:
        return learned.check(image, 65_535)


def test_what_was_learned_is_asked_without_a_word(learned: Learned, tmp_path: Path) -> None:
    photo(seed=9).save(file := tmp_path / "same.webp", lossless=True)
    assert doubts(learned, file) == ()
    assert Learned.parse(json.loads(json.dumps(asdict(learned)))) == learned


def test_what_makes_a_score_meaningless_is_refused(learned: Learned, tmp_path: Path) -> None:
    pages, wide, turned = (tmp_path / name for name in ("pages.tif", "wide.png", "turned.jpg"))
    photo().save(pages, save_all=True, append_images=[photo(seed=1)])
    Image.fromarray(np.full((96, 96), 4_000, np.uint16)).save(wide)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo().save(turned, exif=exif)
    for file, why in ((pages, "several images"), (wide, "16 bits"), (turned, "EXIF turns")):
        with pytest.raises(DataError, match=why) as caught:
            doubts(learned, file)
        assert caught.value.where == str(file)
        assert caught.value.mend


def test_what_is_doubtful_is_named(learned: Learned, tmp_path: Path) -> None:
    small, clear, grey = (tmp_path / name for name in ("small.png", "clear.png", "grey.png"))
    photo(side=10).save(small)
    image = photo().convert("RGBA")
    image.putalpha(100)
    image.save(clear)
    photo().convert("L").save(grey)
    assert "far smaller" in doubts(learned, small)[0]
    assert doubts(learned, clear)[0].startswith("transparent")
    assert doubts(learned, grey)[0].startswith("grey")


def test_a_phones_jpeg_of_two_pictures_is_its_first(learned: Learned, tmp_path: Path) -> None:
    photo().save(file := tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[photo()])
    with Image.open(file) as image:
        assert image.format == "MPO"
    assert doubts(learned, file) == ()


def test_of_an_older_model_nothing_is_known(tmp_path: Path) -> None:
    photo(side=10).convert("L").save(file := tmp_path / "any.png")
    assert doubts(Learned.parse(None), file) == ()


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "empty"), (b"# README", "not an image"), (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC")],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(content)
    with pytest.raises(DataError, match=why), opened(file):
        pass
