"""What the images of a class must be: the suite, as data.

Each `Statement` is one check: a stable code, words for people, and one or more expectations in
Great Expectations' own JSON form over the columns of `facts`. Because the suite is plain data, its
digest is known without importing Great Expectations, which takes seconds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.dataset.facts import GOOD
from patchae.files import digest_json, sha256_file
from patchae.types import Sha256

if TYPE_CHECKING:
    from patchae.config import Validation

_SOURCES = ("facts.py", "evaluate.py", "validate.py")
"""Files that decide, besides the suite itself, what a check finds."""


@dataclass(frozen=True)
class Statement:
    """One check; it passes when every one of its expectations is met."""

    code: str
    """Stable name, known to users and to records."""
    title: str
    """A plain sentence that is true when the check passes."""
    expected: str
    """What is allowed, in words."""
    expectations: tuple[dict[str, Any], ...]
    """Each `{"type": ..., "kwargs": {...}}`."""


def suite_digest(rules: Validation) -> Sha256:
    """sha256 over the suite under these rules and over the source that evaluates it.

    Two records with the same digest were made by the same checks.
    """
    here = Path(__file__).parent
    return digest_json(
        {
            "statements": [asdict(statement) for statement in statements(rules)],
            "source": {name: sha256_file(here / name) for name in _SOURCES},
        }
    )


def statements(rules: Validation) -> tuple[Statement, ...]:
    """The suite under the limits of `validation:` in `lines.yaml`, in the order people read it."""
    return (
        Statement(
            "not_empty",
            "The class has images",
            "at least 1",
            (_expect("table_row_count_to_be_between", min_value=1),),
        ),
        Statement(
            "layout",
            "Images lie in train/ or test/ only",
            "train or test",
            (_expect("column_values_to_be_in_set", "split", value_set=["train", "test"]),),
        ),
        Statement(
            "unique_paths",
            "Every image is listed once",
            "each path once",
            (_expect("column_values_to_be_unique", "path"),),
        ),
        *_about_images(rules),
        *_about_counts(rules),
        *_about_masks(rules),
        *_about_fairness(),
    )


def _about_images(rules: Validation) -> tuple[Statement, ...]:
    sides = {"min_value": rules.min_side_px, "max_value": rules.max_side_px}
    return (
        Statement(
            "decodable",
            "Every image and mask can be decoded",
            "a whole, readable file",
            (_expect("column_values_to_be_null", "problem"),),
        ),
        Statement(
            "allowed_mode",
            "Every image has an allowed colour mode",
            " or ".join(rules.modes),
            (
                _expect(
                    "column_values_to_be_in_set",
                    "mode",
                    where="image_seen",
                    value_set=list(rules.modes),
                ),
            ),
        ),
        Statement(
            "allowed_size",
            "Every image has an allowed size",
            f"{rules.min_side_px} to {rules.max_side_px} px on both sides",
            tuple(
                _expect("column_values_to_be_between", side, where="image_seen", **sides)
                for side in ("width", "height")
            ),
        ),
    )


def _about_counts(rules: Validation) -> tuple[Statement, ...]:
    return tuple(
        Statement(
            f"enough_{part}",
            f"There are enough images in {folder}",
            f"at least {least}",
            (_expect("column_sum_to_be_between", part, min_value=least),),
        )
        for part, folder, least in (
            ("train_good", "train/good", rules.min_train_good),
            ("test_good", "test/good", rules.min_test_good),
            ("test_defect", "the defect folders of test/", rules.min_test_defect),
        )
    )


def _about_masks(rules: Validation) -> tuple[Statement, ...]:
    needed = rules.masks == "required"
    return (
        Statement(
            "masks_present",
            "Defective test images have the masks that are asked for",
            "a mask for each of them" if needed else "any number without a mask",
            # mostly=0: the images without a mask are still found and listed, but allowed
            (
                _expect(
                    "column_values_to_not_be_null",
                    "mask",
                    where="test_defect",
                    mostly=1 if needed else 0,
                ),
            ),
        ),
        Statement(
            "no_mask_on_good",
            "No good image has a mask",
            "masks for defective images only",
            (_expect("column_values_to_be_null", "mask", where="good"),),
        ),
        Statement(
            "mask_size_matches",
            "Every mask has the size of its image",
            "the width and height of the image",
            tuple(
                _expect(
                    "column_pair_values_to_be_equal",
                    where="both_seen",
                    column_A=side,
                    column_B=f"mask_{side}",
                    ignore_row_if="neither",
                )
                for side in ("width", "height")
            ),
        ),
        Statement(
            "mask_not_empty",
            "Every mask marks a defect",
            "more than 0 and at most all of its pixels",
            (
                _expect(
                    "column_values_to_be_between",
                    "mask_coverage",
                    where="mask_seen",
                    min_value=0,
                    strict_min=True,
                    max_value=1,
                ),
            ),
        ),
    )


def _about_fairness() -> tuple[Statement, ...]:
    return (
        Statement(
            "only_good_in_train",
            "Only good images are in train/",
            f"the folder {GOOD}",
            (_expect("column_values_to_be_in_set", "defect", where="in_train", value_set=[GOOD]),),
        ),
        Statement(
            "no_leak",
            "No test image is also a training image",
            "no identical files in train/ and test/",
            (_expect("column_values_to_be_in_set", "leaked", value_set=[False]),),
        ),
        Statement(
            "no_conflicting_labels",
            "No test image is both good and defective",
            "no identical files under test/good and a defect",
            (_expect("column_values_to_be_in_set", "conflicting", value_set=[False]),),
        ),
    )


def _expect(
    kind: str, column: str | None = None, *, where: str | None = None, **kwargs: Any
) -> dict[str, Any]:
    """One expectation as JSON, over all rows or over those where the column `where` is true."""
    if column is not None:
        kwargs["column"] = column
    if where is not None:
        kwargs["row_condition"] = {
            "type": "comparison",
            "column": {"name": where},
            "operator": "==",
            "parameter": True,
        }
    return {"type": f"expect_{kind}", "kwargs": kwargs}
