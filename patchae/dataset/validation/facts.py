"""What the checks of a class speak about: the manifest plus a few columns derived from it.

Pure. Great Expectations skips a missing value, so that a check over a hole would pass: no column
that a check speaks about has one. A hole where the manifest must not have any is an error; one
where it may (a mask that could not be measured) becomes a value that no limit allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patchae.dataset.misfits import is_like_good, masks_among
from patchae.dataset.picture import EMPTY, TOO_MANY_PIXELS
from patchae.dataset.validation.likeness import near_copies
from patchae.images import KINDS, suffix_of

if TYPE_CHECKING:
    import pandas as pd

GOOD = "good"

_NEVER_EMPTY = ("class", "split", "defect", "path", "sha256", "kind", "frames", "upright")
_LOOKS = ("brightness", "contrast", "highest", "white", "sharpness", "dead")
_OF_THE_IMAGE = ("width", "height", "mode", "problem", "perceptual_hash", *_LOOKS)
_OF_THE_MASK = ("mask", "mask_width", "mask_height", "mask_coverage", "mask_cut")
_NEEDED = (*_NEVER_EMPTY, *_OF_THE_IMAGE, *_OF_THE_MASK)
_LEVELS = 65_535
_BITS = (8, 10, 12, 14, 16)


def facts(manifest: pd.DataFrame, class_name: str, near_copy: float = 0.25) -> pd.DataFrame:
    """One row per image: the manifest of one class with these columns added or completed.

    image_seen              the image was decoded; its size, mode and looks are to be judged
    in_train                it lies in train/
    good                    it is sorted as good
    train_good, test_good, test_defect
                            it belongs to that part
    train_good_once, test_good_once, test_defect_once
                            it does, and is the first of its content there: copies show nothing more
    good_seen               it is good and was decoded
    mask_seen               it has a mask, which was decoded and is to be judged; the mask of a good
                            image that marks nothing says what the folder says, and is not
    good_masked             it is good, and has a mask that marks something or was not decoded
    mask_shared             its mask is that of another image, too
    mask_of_kind            share that the masks of its kind mark at the median; 0 without a mask
    among_masks             its name says that it is the mask of an image beside it
    like_good               it lies in a folder of test/ that is called as good parts are
    both_seen               both of these
    fault                   why it was not decoded: empty, pixels, damaged, or mask; "" if it was
    another_type            its bytes are of another type than its name says
    other_mode, other_size  not those that most images of the class have
    leaked                  the same bytes lie in train/ and in test/
    nearly_leaked           other bytes, but nearly the same picture, lie in train/ and in test/
    conflicting             the same bytes lie in test/ both as good and as defective
    copied                  they lie in the same split under another name, and do not conflict
    brightness, contrast    as measured, of the white of the class: a 12-bit camera in 16-bit
                            files fills a sixteenth of their range
    sharper                 sharpness in units of the median of train/good
    width, height, mask_width, mask_height
                            pixels; 0 where unknown
    mode                    Pillow mode; "" where unknown; I;16 whatever the order of its bytes
    mask_cut                share of it that is noise or soft edges; 0 where there is none
    mask_coverage           share of marked pixels, 0 to 1; 0 where there is none or it is unknown

    Args:
        manifest: as `read_manifest` gives it.
        class_name: the class that every row must belong to.
        near_copy: see `likeness.near_copies`.

    Raises:
        ValueError: a column is missing, a value is missing where none may be, or an image belongs
            to another class.
    """
    import pandas as pd

    absent = [column for column in _NEEDED if column not in manifest.columns]
    if absent:
        raise ValueError(f"the manifest has no column {', '.join(absent)}")
    holes = [column for column in _NEVER_EMPTY if manifest[column].isna().any()]
    if holes:
        raise ValueError(f"the manifest has rows without {', '.join(holes)}")
    if (manifest["class"] != class_name).any():
        raise ValueError(f"the manifest has images of another class than {class_name}")

    in_train = manifest["split"] == "train"
    in_test = manifest["split"] == "test"
    good = manifest["defect"] == GOOD
    fault = _fault(manifest)
    image_seen = fault.isin(["", "mask"])
    masked = manifest["mask"].notna()
    decoded = masked & ((fault == "") | manifest["mask_width"].notna())
    idle = good & decoded & (manifest["mask_coverage"] == 0)
    mask_seen = decoded & ~idle
    # Text among the numbers is found by the checks of each mask.
    marked = pd.to_numeric(manifest["mask_coverage"].where(mask_seen & ~good), errors="coerce")
    content = manifest["sha256"]
    both_splits = set(content[in_train]) & set(content[in_test])
    both_labels = set(content[in_test & good]) & set(content[in_test & ~good])
    leaked = content.isin(sorted(both_splits))
    conflicting = in_test & content.isin(sorted(both_labels))
    looks = manifest[list(_LOOKS)].astype("float64").fillna(0.0)
    hashes = manifest["perceptual_hash"].where(image_seen & ~leaked)
    sizes = ["width", "height", "mask_width", "mask_height"]
    parts = {
        "train_good": in_train & good,
        "test_good": in_test & good,
        "test_defect": in_test & ~good,
    }
    added: dict[str, Any] = {
        "image_seen": image_seen,
        "in_train": in_train,
        "good": good,
        **parts,
        **{f"{part}_once": it & ~content.where(it).duplicated() for part, it in parts.items()},
        "good_seen": good & image_seen,
        "mask_seen": mask_seen,
        "good_masked": good & masked & ~idle,
        "mask_shared": masked & manifest["mask"].duplicated(keep=False),
        "mask_of_kind": marked.groupby(manifest["defect"]).transform("median").fillna(0.0),
        "among_masks": manifest["path"].isin(masks_among(manifest["path"])),
        "like_good": in_test & manifest["defect"].map(is_like_good).astype(bool),
        "both_seen": image_seen & mask_seen,
        "fault": fault,
        "another_type": image_seen & _another_type(manifest),
        "leaked": leaked,
        "nearly_leaked": near_copies(hashes, in_train, in_test, near_copy),
        "conflicting": conflicting,
        "copied": manifest.duplicated(["split", "sha256"], keep=False) & ~conflicting,
        "mode": manifest["mode"].fillna("").replace(dict.fromkeys(("I;16B", "I;16L"), "I;16")),
        "mask_coverage": manifest["mask_coverage"].fillna(0.0),
        "mask_cut": manifest["mask_cut"].astype("float64").fillna(0.0),
        **{column: manifest[column].fillna(0) for column in sizes},
        **{column: looks[column] for column in _LOOKS},
    }
    frame = manifest.assign(**added)
    seen = frame[image_seen]
    frame["other_mode"] = image_seen & (frame["mode"] != _usual(seen["mode"]))
    size = frame["width"].astype(str) + " x " + frame["height"].astype(str)
    frame["other_size"] = image_seen & (size != _usual(size[image_seen]))
    wide = frame["mode"].str.startswith("I;16")
    frame.loc[wide, ["brightness", "contrast"]] /= _white(frame.loc[wide, "highest"])
    learned = frame.loc[frame["train_good"] & image_seen, "sharpness"]
    usual = float(learned.median()) if len(learned) else 0.0
    frame["sharper"] = frame["sharpness"] / usual if usual > 0 else 1.0
    return frame


def _fault(manifest: pd.DataFrame) -> pd.Series[str]:
    problem = manifest["problem"].fillna("")
    # A problem is the image's or its mask's; the one that has a size all the same was decoded.
    decoded = manifest["width"].fillna(0) > 0
    found = problem.copy()
    found[problem != ""] = "damaged"
    found[problem == EMPTY] = "empty"
    found[problem.str.startswith(TOO_MANY_PIXELS)] = "pixels"
    found[(problem != "") & decoded] = "mask"
    return found


def _another_type(manifest: pd.DataFrame) -> pd.Series[bool]:
    import pandas as pd

    return pd.Series(
        [
            kind not in KINDS.get(suffix_of(path), {kind})
            for path, kind in zip(manifest["path"], manifest["kind"], strict=True)
        ],
        index=manifest.index,
        dtype=bool,
    )


def _usual(values: pd.Series[str]) -> str:
    """The most frequent value; of several the first in the alphabet."""
    counts = values.value_counts()
    return min(counts.index[counts == counts.max()]) if len(counts) else ""


def _white(highest: pd.Series[float]) -> float:
    """What share of 16 bits the camera fills, 0..1."""
    most = round(float(highest.max()) * _LEVELS) if len(highest) else _LEVELS
    bits = next(bits for bits in _BITS if most < 2**bits)
    return float(2**bits - 1) / _LEVELS
