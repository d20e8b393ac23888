"""A gallery of damage: what cameras, people and disks do to a folder of images, made by code.

Each piece changes the folder of a sound class and names the check that must find it, with those
that it cannot help failing too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from tests.support.wide import wide_png

SIDE = 96
Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Piece:
    """One kind of damage."""

    code: str
    """The check that must find it."""
    damage: Damage
    also: tuple[str, ...] = ()
    """Checks that fail with it: an image that is gone is missing elsewhere."""


def part(seed: int, *, hole: bool = False) -> Image.Image:
    """A photo of a part: a plate with a bright ring and stains, never twice the same."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((SIDE, SIDE)) - SIDE / 2
    radius = np.hypot(rows + random.normal(), columns + random.normal())
    pixels = np.full((SIDE, SIDE, 3), 90.0)
    pixels[radius < 36] = (150, 145, 135)
    pixels[np.abs(radius - 24) < 4] = (200, 195, 190)
    coarse = Image.fromarray(random.normal(0, 12, (12, 12)).astype(np.float32), "F")
    cloud = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    pixels += cloud[..., None] + random.normal(0, 2, (SIDE, SIDE, 1))
    if hole:
        pixels[np.hypot(rows - 10, columns + 8) < 7] = 30
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def sound(folder: Path) -> None:
    """A class with nothing to complain of, under `folder`."""
    seed = 0
    for split, kind, count in (("train", "good", 24), ("test", "good", 6), ("test", "hole", 6)):
        for number in range(count):
            path = folder / split / kind / f"{number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            part(seed, hole=kind == "hole").save(path)
            seed += 1
    for number in range(6):
        path = folder / "ground_truth" / "hole" / f"{number:03d}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask(path)


def mask(path: Path, level: int = 255, side: int = SIDE) -> None:
    """A mask with a marked square."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[48:64, 32:48] = level
    Image.fromarray(pixels).save(path)


TRAIN, GOOD, HOLE = "train/good/004.png", "test/good/003.png", "test/hole/002.png"
MASK = "ground_truth/hole/002_mask.png"


def written(path: str, content: bytes) -> Damage:
    """A file gets other content."""
    return lambda folder: _write(folder / path, content)


def cut(path: str, share: float) -> Damage:
    """A copy was interrupted."""

    def damage(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[: int(share * len(content))])

    return damage


def flipped(path: str) -> Damage:
    """A disk lost some bytes in the middle."""

    def damage(folder: Path) -> None:
        content = bytearray((folder / path).read_bytes())
        middle = len(content) // 2
        content[middle : middle + 40] = bytes(40)
        (folder / path).write_bytes(bytes(content))

    return damage


def changed(path: str, change: Callable[[Image.Image], Image.Image], **options: object) -> Damage:
    """An image is saved again after a change, under its own name and type."""

    def damage(folder: Path) -> None:
        image = change(Image.open(folder / path))
        image.save(folder / path, **options)

    return damage


def every(pattern: str, change: Callable[[Image.Image], Image.Image]) -> Damage:
    """The same change to many images."""

    def damage(folder: Path) -> None:
        for path in folder.glob(pattern):
            change(Image.open(path)).save(path)

    return damage


def moved(path: str, target: str) -> Damage:
    """A file lies elsewhere."""

    def damage(folder: Path) -> None:
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).rename(folder / target)

    return damage


def copied(path: str, target: str, change: Callable[[bytes], bytes] = lambda same: same) -> Damage:
    """A file is there twice; the second time changed, perhaps."""
    return lambda folder: _write(folder / target, change((folder / path).read_bytes()))


def removed(pattern: str, keep: int = 0) -> Damage:
    """All but the first files are gone."""

    def damage(folder: Path) -> None:
        for path in sorted(folder.glob(pattern))[keep:]:
            path.unlink()

    return damage


def both(*damages: Damage) -> Damage:
    """One after the other."""

    def damage(folder: Path) -> None:
        for one in damages:
            one(folder)

    return damage


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def _rotated_photo(folder: Path) -> None:
    image = Image.open(folder / GOOD)
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / GOOD).unlink()
    image.save((folder / GOOD).with_suffix(".jpg"), quality=98, exif=exif)


def _bomb(folder: Path) -> None:
    Image.new("1", (11_000, 11_000)).save(folder / GOOD)


def _pages(folder: Path) -> None:
    image = Image.open(folder / GOOD).convert("RGB")
    (folder / GOOD).unlink()
    image.save((folder / GOOD).with_suffix(".tif"), save_all=True, append_images=[image])


def _dead(image: Image.Image) -> Image.Image:
    pixels = np.array(image)
    pixels[5:90:9, 8] = 255
    return Image.fromarray(pixels)


def _palette(image: Image.Image) -> Image.Image:
    return image.quantize(32)


def _black_and_white(image: Image.Image) -> Image.Image:
    return image.convert("1", dither=Image.Dither.NONE)


def _wide(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 16)


def _wide_colour(content: bytes) -> bytes:
    return wide_png(np.asarray(Image.open(BytesIO(content))).astype(np.uint16) * 256)


def _jpeg(content: bytes) -> bytes:
    return _encoded(Image.open(BytesIO(content)), "JPEG", quality=85)


def _smaller(content: bytes) -> bytes:
    image = Image.open(BytesIO(content)).resize((80, 80))
    return _encoded(image, "PNG")


def _brighter(content: bytes) -> bytes:
    return _encoded(ImageEnhance.Brightness(Image.open(BytesIO(content))).enhance(1.05), "PNG")


def _flat(level: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: Image.new("RGB", image.size, (level,) * 3)


def _dimmed(share: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: ImageEnhance.Brightness(image).enhance(share)


def _overexposed(image: Image.Image) -> Image.Image:
    pixels = np.full_like(np.asarray(image), 255)
    pixels[:20, :20] = np.asarray(image)[:20, :20]
    return Image.fromarray(pixels)


def _resized(side: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize((side, side))


def _mask_full(folder: Path) -> None:
    Image.new("L", (SIDE, SIDE), 255).save(folder / MASK)


def _mask_empty(folder: Path) -> None:
    Image.new("L", (SIDE, SIDE), 0).save(folder / MASK)


def _small_mask(folder: Path) -> None:
    mask(folder / MASK, side=SIDE - 2)


def _turned(content: bytes) -> bytes:
    return _encoded(Image.open(BytesIO(content)).rotate(180), "PNG")


def _jpeg_of_another(content: bytes) -> bytes:
    return _encoded(Image.open(BytesIO(content)).rotate(180), "JPEG", quality=95)


def _no_folder(name: str) -> Damage:
    return lambda folder: shutil.rmtree(folder / name)


GALLERY: dict[str, Piece] = {
    # files
    "an empty file": Piece("no_empty_files", written(GOOD, b"")),
    "an empty training image": Piece("no_empty_files", written(TRAIN, b"")),
    "text with the name of an image": Piece("decodable", written(GOOD, b"not an image\n")),
    "zeros, as after a power failure": Piece("decodable", written(GOOD, bytes(5000))),
    "a copy that stopped half-way": Piece("decodable", cut(GOOD, 0.5)),
    "a copy that lacks its end": Piece("decodable", cut(TRAIN, 0.97)),
    "a header and nothing else": Piece("decodable", cut(GOOD, 0.01)),
    "lost bytes in the middle": Piece("decodable", flipped(GOOD)),
    "a page of the web server": Piece("decodable", written(GOOD, b"<!doctype html><p>404</p>")),
    "a decompression bomb": Piece("allowed_pixels", _bomb),
    "a scan of two pages": Piece("one_frame", _pages),
    "a telephone held upright": Piece("upright", _rotated_photo),
    "a JPEG called PNG": Piece("type_matches_name", copied(GOOD, GOOD, _jpeg)),
    "a BMP called PNG": Piece(
        "type_matches_name",
        copied(GOOD, GOOD, lambda content: _encoded(Image.open(BytesIO(content)), "BMP")),
    ),
    # form
    "a palette": Piece("allowed_mode", changed(GOOD, _palette), ("same_mode",)),
    "an alpha channel": Piece(
        "allowed_mode", changed(GOOD, lambda image: image.convert("RGBA")), ("same_mode",)
    ),
    "black and white": Piece(
        "allowed_mode", changed(GOOD, _black_and_white), ("same_mode", "no_dead_pixels")
    ),
    "a 16-bit file": Piece("allowed_mode", changed(GOOD, _wide), ("same_mode",)),
    "colour of 16 bits": Piece("allowed_mode", copied(GOOD, GOOD, _wide_colour), ("same_mode",)),
    "a grey image among coloured ones": Piece(
        "same_mode", changed(GOOD, lambda image: image.convert("L"))
    ),
    "a thumbnail": Piece("allowed_size", changed(GOOD, _resized(32)), ("same_size",)),
    "another camera": Piece("same_size", changed(GOOD, _resized(100))),
    # looks
    "the lens cap": Piece("not_uniform", changed(GOOD, _flat(0)), ("not_too_dark", "in_focus")),
    "a lost signal": Piece("not_uniform", changed(GOOD, _flat(128)), ("in_focus",)),
    "no lamp": Piece("not_too_dark", changed(GOOD, _dimmed(0.03)), ("not_uniform",)),
    "far too much lamp": Piece("not_overexposed", changed(HOLE, _overexposed)),
    "out of focus": Piece(
        "in_focus", changed(GOOD, lambda image: image.filter(ImageFilter.GaussianBlur(3)))
    ),
    "a training image out of focus": Piece(
        "in_focus", changed(TRAIN, lambda image: image.filter(ImageFilter.GaussianBlur(3)))
    ),
    "dead pixels": Piece("no_dead_pixels", changed(GOOD, _dead)),
    # numbers
    "hardly anything to learn from": Piece("enough_train_good", removed("train/good/*", 19)),
    "two good test images": Piece("enough_test_good", removed("test/good/*", 2)),
    "two defects": Piece(
        "enough_test_defect", both(removed("test/hole/*", 2), removed("ground_truth/hole/*", 2))
    ),
    "no test images at all": Piece(
        "enough_test_good",
        both(_no_folder("test"), _no_folder("ground_truth")),
        ("enough_test_defect",),
    ),
    # masks
    "a mask of another size": Piece("mask_size_matches", _small_mask),
    "a black mask": Piece("mask_not_empty", _mask_empty),
    "a white mask": Piece("mask_not_full", _mask_full),
    "a mask that was cut off": Piece("masks_decodable", cut(MASK, 0.6)),
    "an empty mask file": Piece("masks_decodable", written(MASK, b"")),
    "a mask without its image": Piece(
        "masks_have_images", copied(MASK, "ground_truth/hole/900_mask.png")
    ),
    "masks in the folder of no defect": Piece(
        "masks_have_images", copied(MASK, "ground_truth/dent/000_mask.png")
    ),
    "a mask on a good part": Piece(
        "no_mask_on_good", copied(MASK, "ground_truth/good/003_mask.png")
    ),
    "masks white where nothing is": Piece(
        "masks_not_inverted", every("ground_truth/hole/*.png", ImageOps.invert), ("mask_not_full",)
    ),
    "a mask that was made smooth": Piece(
        "sharp_masks", changed(MASK, lambda image: image.filter(ImageFilter.GaussianBlur(2)))
    ),
    "two images over one mask": Piece(
        "mask_of_one_image", copied(HOLE, "test/hole/002.jpg", _jpeg_of_another)
    ),
    # fairness
    "a mask beside its image": Piece(
        "no_masks_among_images", copied(HOLE, "test/hole/000_GT.png", _turned)
    ),
    "defects in a folder called OK": Piece(
        "no_good_among_defects", copied(HOLE, "test/OK/900.png", _turned)
    ),
    "a test image among the training images": Piece("no_leak", copied(GOOD, "train/good/900.png")),
    "a defect among the training images": Piece("no_leak", copied(HOLE, "train/good/900.png")),
    "a test image to learn from, as JPEG": Piece(
        "no_near_leak", copied(GOOD, "train/good/900.jpg", _jpeg)
    ),
    "a test image to learn from, smaller": Piece(
        "no_near_leak", copied(GOOD, "train/good/900.png", _smaller), ("same_size",)
    ),
    "a training image to judge with, brighter": Piece(
        "no_near_leak", copied(TRAIN, "test/good/900.png", _brighter)
    ),
    "a part both good and defective": Piece(
        "no_conflicting_labels", copied(HOLE, "test/good/900.png")
    ),
    "a training image twice": Piece("no_copies", copied(TRAIN, "train/good/900.png")),
    "a test image twice": Piece("no_copies", copied(GOOD, "test/good/900.png")),
    "a folder of defects to learn from": Piece(
        "only_good_in_train", copied(TRAIN, "train/hole/000.png", _brighter)
    ),
    # what lies about
    "a third split": Piece("layout", copied(TRAIN, "val/good/000.png", _brighter)),
    "an image in train/ itself": Piece("no_misplaced_images", copied(TRAIN, "train/900.png")),
    "an image too deep": Piece("no_misplaced_images", copied(TRAIN, "train/good/new/900.png")),
    "a HEIC image": Piece("known_files", written("train/good/900.heic", b"ftypheic")),
    "notes of a person": Piece("known_files", written("notes.txt", b"lamp changed on Monday")),
    "a spreadsheet": Piece("known_files", written("test/hole/sizes.xlsx", b"PK")),
    "folders that differ by case": Piece(
        "distinct_names", moved(GOOD, "test/Good/000.PNG"), ("no_good_among_defects",)
    ),
    "files that differ by case": Piece("distinct_names", moved(TRAIN, "train/good/005.PNG")),
    "one umlaut in two forms": Piece(
        "distinct_names",
        both(
            moved(GOOD, "test/good/gr\u00fcn.png"),
            moved("test/good/004.png", "test/good/gru\u0308n.png"),
        ),
    ),
}
