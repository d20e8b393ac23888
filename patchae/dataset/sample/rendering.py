"""The sample as files: which there are, and bringing a folder to hold exactly them.

A file that is right stays untouched, time stamp included; one that is missing is written in one
step; nothing that is not the sample's is ever overwritten or deleted. Interrupted at any moment
and started again, `render` ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from patchae.dataset.layout import files_below
from patchae.dataset.sample import mesh, seal, tablet, washer
from patchae.dataset.sample.fixedpoint import ONE
from patchae.dataset.sample.png import encode
from patchae.dataset.sample.product import Product
from patchae.errors import DataError, UsageError
from patchae.files import Progress, digest_json, digests_of, silent, write_bytes
from patchae.types import Sha256

TRAIN_GOOD, TEST_GOOD, TEST_PER_KIND = 60, 30, 7

PRODUCTS: dict[str, Product] = {
    module.PRODUCT.name: module.PRODUCT for module in (mesh, seal, tablet, washer)
}
CLASSES: tuple[str, ...] = tuple(PRODUCTS)
"""Names of the sample's classes, sorted."""

DIGESTS = {
    "mesh": "134f7c4a107eb64696f2b4b19ecd7b88b5c504b07f5dfc89d1b47123985e9fad",
    "seal": "5139764e8ec8b497d52a3a72dbd72434dd39ab7aaca673d50e3b88f24759663b",
    "tablet": "d67bc2efd18be1c8f8cc97dbfcd814b2c89e9f4c9e9a2349a4811b5cdbaa185f",
    "washer": "b4265e7d21a050e425b65ce1b976078a289bc2e87de64fa409c443c015c5ef20",
}
"""Of each class, `digest_of` its folder: what holds all of it already need not be rendered. They
change only when the pictures are meant to; data versions and models of earlier samples then no
longer compare."""

_Shot = tuple[str, str | None, int]  # path without ending, kind of defect, its strength


def render(
    target: Path, *, classes: Sequence[str] | None = None, progress: Progress = silent
) -> None:
    """Bring `target/<class>/` to hold the sample images of the classes (default: all).

    Raises:
        UsageError: a name is not one of `CLASSES`.
        DataError: something other than the sample lies there, or cannot be written there.
    """
    products = [_product(name) for name in (CLASSES if classes is None else classes)]
    for product in products:
        _clear_the_way(target / product.name, product)
    total = sum(1 for product in products for _ in _paths(product))
    done = 0
    for product in products:
        if _is_whole(target / product.name, product):
            done += sum(1 for _ in _paths(product))
            progress(f"checking {product.name}", done, total)
            continue
        for path, content in _files(product):
            _put(target / product.name / path, content)
            done += 1
            progress(f"rendering {product.name}", done, total)


def digest_of(folder: Path) -> Sha256:
    """One sha256 over every path and every byte below a folder."""
    return digest_json(digests_of(folder))


def _is_whole(folder: Path, product: Product) -> bool:
    try:
        return digest_of(folder) == DIGESTS[product.name]
    except OSError:  # `_put` will name the file
        return False


def _product(name: str) -> Product:
    if name not in PRODUCTS:
        raise UsageError(
            f"the sample has no class '{name}'", mend=f"use some of: {', '.join(CLASSES)}"
        )
    return PRODUCTS[name]


def _shots(product: Product) -> Iterator[_Shot]:
    for index in range(TRAIN_GOOD):
        yield f"train/good/{index:03d}", None, 0
    for index in range(TEST_GOOD):
        yield f"test/good/{index:03d}", None, 0
    for kind in product.kinds:
        for index in range(TEST_PER_KIND):
            # from obvious to subtle, shuffled as on a real line
            rank = index * 3 % TEST_PER_KIND
            yield f"test/{kind}/{index:03d}", kind, ONE * (TEST_PER_KIND - rank) // TEST_PER_KIND


def _mask_path(shot: str) -> str:
    return shot.replace("test/", "ground_truth/", 1) + "_mask.png"


def _paths(product: Product) -> Iterator[str]:
    for shot, kind, _ in _shots(product):
        yield f"{shot}.png"
        if kind:
            yield _mask_path(shot)


def _files(product: Product) -> Iterator[tuple[str, bytes]]:
    for shot, kind, strength in _shots(product):
        if kind:
            photo, mask = product.defective(shot, kind, strength)
            yield f"{shot}.png", encode(photo)
            yield _mask_path(shot), encode(mask)
        else:
            yield f"{shot}.png", encode(product.good(shot))


def _clear_the_way(folder: Path, product: Product) -> None:
    # remove what an interrupted write left behind; refuse everything else that is not ours
    ours = {folder / path for path in _paths(product)}
    for path in sorted(files_below(folder)):
        if path in ours:
            continue
        final, dot, _ = path.name.removeprefix(".").rpartition(".")
        if path.name.startswith(".") and dot and path.parent / final in ours:
            path.unlink()
        else:
            raise DataError(
                f"'{path.name}' is not part of the sample class '{product.name}'",
                where=str(path),
                mend="render into another folder, or move the file away",
            )


def _put(path: Path, content: bytes) -> None:
    try:
        if not path.exists():
            write_bytes(path, content)
        elif path.read_bytes() != content:
            raise DataError(
                f"'{path.name}' exists and is not the sample's",
                where=str(path),
                mend="render into another folder, or delete the file",
            )
    except OSError as error:
        raise DataError(
            f"the sample cannot be written: {error.strerror or error}",
            where=str(path),
            mend="render into a folder that can be written to",
        ) from None
