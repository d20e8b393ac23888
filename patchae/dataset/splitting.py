"""Which good images are for training and which for testing: the one rule for every way in.

An image's own content decides, and nothing else. So the same image can never be in both parts,
whoever brings it in, from where, and how often.
"""

from __future__ import annotations

from pathlib import Path

from patchae.dataset.layout import GOOD, image_files
from patchae.dataset.misfits import masks_among
from patchae.errors import DataError
from patchae.files import Progress, sha256_file
from patchae.images import find_images

TEST_SHARE = 4
"""Of so many good images one is for testing."""


def split_of(sha256: str, label: str = GOOD) -> str:
    """Return `train` or `test`: where an image with a label belongs.

    A defective one is for testing: what a defect looks like is never learned from.

    Law: it depends on the image's content and its label, and on nothing else.
    """
    if label != GOOD:
        return "test"
    return "test" if int(sha256[:8], 16) % TEST_SHARE == 0 else "train"


def good_images(folder: Path, *, plain: bool) -> list[Path]:
    """Return the images of a folder that holds good parts alone; none if it holds anything else.

    That is one of a class with images in train/good and none in test/; or, if `plain`, a folder of
    images that somebody said are of good parts.
    """
    if any(image_files(kind) for kind in _kinds(folder / "test")):
        return []
    return image_files(folder / "train" / GOOD) or (image_files(folder) if plain else [])


def lay_out_good(folder: Path, target: Path, progress: Progress) -> Path:
    """Lay a folder of good parts alone out as a class, of links, with a share in test/good.

    Args:
        folder: as `good_images` knows it; only read.
        target: the folder to make. Whatever else lies in `folder` is linked in its own place.
        progress: called after every few files.

    Raises:
        DataError: there are images in folders below, which nobody says are good; or masks among
            them; or too few for both parts.
    """
    good = good_images(folder, plain=True)
    everything = find_images(folder, follow_links=True)
    below = [image for image in everything.paths if image.parent != folder]
    if good[0].parent == folder and below:
        raise DataError(
            f"there are images in folders of the folder, as in {below[0].parent.name}, and it is"
            " not said which of them show good parts",
            where=str(folder),
            mend="name the folder of good parts alone, or sort them as CLASS/train/good,"
            " CLASS/test/good and CLASS/test/DEFECT",
        )
    masks = masks_among(f"{GOOD}/{image.name}" for image in good)  # before they are parted
    if masks:
        raise DataError(
            f"{min(masks).partition('/')[2]} is a mask by its name, and there are {len(masks)}",
            where=str(good[0].parent),
            mend="take masks out of the folder of good parts; a photo that is called so, rename",
        )
    places = {}
    for done, image in enumerate(good, start=1):
        places[image] = Path(split_of(sha256_file(image)), GOOD, image.name)
        progress("drawing test images", done, len(good))
    if len({place.parts[0] for place in places.values()}) < 2:
        raise DataError(
            f"{len(good)} images are too few to train on some and to test with others",
            where=str(folder),
            mend="bring more images of good parts: 40 to begin with",
        )
    for file in (*everything.paths, *(folder / item.path for item in everything.left_out)):
        link = target / places.get(file, file.relative_to(folder))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.absolute())
    return target


def _kinds(folder: Path) -> list[Path]:
    return [child for child in folder.iterdir() if child.is_dir()] if folder.is_dir() else []
