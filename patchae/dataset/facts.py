"""What the checks of a class speak about: the manifest plus a few columns derived from it.

Pure. Great Expectations skips a missing value, so that a check over a hole would pass: no column
that a check speaks about has one. A hole where the manifest must not have any is an error; one
where it may (a mask that could not be measured) becomes a value that no limit allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

GOOD = "good"

_NEVER_EMPTY = ("class", "split", "defect", "path", "sha256")
_OF_THE_IMAGE = ("width", "height", "mode", "problem")
_OF_THE_MASK = ("mask", "mask_width", "mask_height", "mask_coverage")
_NEEDED = (*_NEVER_EMPTY, *_OF_THE_IMAGE, *_OF_THE_MASK)


def facts(manifest: pd.DataFrame, class_name: str) -> pd.DataFrame:
    """One row per image: the manifest of one class with these columns added or completed.

    image_seen              the image was decoded; its size and mode are to be judged
    in_train                it lies in train/
    good                    it is sorted as good
    train_good, test_good, test_defect
                            it belongs to that part
    mask_seen               it has a mask, which was decoded and is to be judged
    both_seen               both of these
    leaked                  the same bytes lie in train/ and in test/
    conflicting             the same bytes lie in test/ both as good and as defective
    width, height, mask_width, mask_height
                            pixels; 0 where unknown
    mode                    Pillow mode; "" where unknown
    mask_coverage           share of marked pixels, 0 to 1; 0 where there is none or it is unknown

    Raises:
        ValueError: a column is missing, a value is missing where none may be, or an image belongs
            to another class.
    """
    absent = [column for column in _NEEDED if column not in manifest.columns]
    if absent:
        raise ValueError(f"the manifest has no column {', '.join(absent)}")
    holes = [column for column in _NEVER_EMPTY if manifest[column].isna().any()]
    if holes:
        raise ValueError(f"the manifest has rows without {', '.join(holes)}")
    if (manifest["class"] != class_name).any():
        raise ValueError(f"the manifest has images of another class than {class_name}")

    decodable = manifest["problem"].isna()
    in_train = manifest["split"] == "train"
    in_test = manifest["split"] == "test"
    good = manifest["defect"] == GOOD
    # A problem is the image's or its mask's; the one that has a size all the same was decoded.
    image_seen = decodable | (manifest["width"].fillna(0) > 0)
    mask_seen = manifest["mask"].notna() & (decodable | manifest["mask_width"].notna())
    content = manifest["sha256"]
    both_splits = set(content[in_train]) & set(content[in_test])
    both_labels = set(content[in_test & good]) & set(content[in_test & ~good])
    sizes = ["width", "height", "mask_width", "mask_height"]
    return manifest.assign(
        image_seen=image_seen,
        in_train=in_train,
        good=good,
        train_good=in_train & good,
        test_good=in_test & good,
        test_defect=in_test & ~good,
        mask_seen=mask_seen,
        both_seen=image_seen & mask_seen,
        leaked=content.isin(sorted(both_splits)),
        conflicting=in_test & content.isin(sorted(both_labels)),
        mode=manifest["mode"].fillna(""),
        mask_coverage=manifest["mask_coverage"].fillna(0.0),
        **{column: manifest[column].fillna(0) for column in sizes},
    )
