"""Checks of a class as a whole: layout, numbers, fair judging, what lies beside, drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchae.dataset.validation import strays
from patchae.dataset.validation.facts import GOOD
from patchae.dataset.validation.statement import Statement, between, expect, never

if TYPE_CHECKING:
    from patchae.config import Validation

_WHOLE = 0.95
"""Share of an image above which a mask marks all of it, or is inverted."""


def about_layout() -> tuple[Statement, ...]:
    """That there are images, where they belong."""
    return (
        Statement(
            "not_empty",
            "The class has images",
            "at least 1",
            "put images under data/<class>/",
            (expect("table_row_count_to_be_between", min_value=1),),
        ),
        Statement(
            "layout",
            "Images lie in train/ or test/ only",
            "train or test",
            "move or remove the folder with another name",
            (expect("column_values_to_be_in_set", "split", value_set=["train", "test"]),),
        ),
        Statement(
            "unique_paths",
            "Every image is listed once",
            "each path once",
            "report a defect of patchae",
            (expect("column_values_to_be_unique", "path"),),
        ),
    )


def about_counts(rules: Validation) -> tuple[Statement, ...]:
    """That there are enough images to learn from and to judge with."""
    parts = (
        ("train_good", "train/good", rules.min_train_good, "add images of good parts"),
        ("test_good", "test/good", rules.min_test_good,
         "add images of good parts that are not in train/good"),
        ("test_defect", "the defect folders of test/", rules.min_test_defect,
         "add images of defective parts; until then the verdict is `hold`"),
    )  # fmt: skip
    return tuple(
        Statement(
            f"enough_{part}",
            f"There are enough images in {folder}",
            f"at least {least}, copies not counted",
            mend,
            (expect("column_sum_to_be_between", f"{part}_once", min_value=least),),
        )
        for part, folder, least, mend in parts
    )


def about_fairness(rules: Validation) -> tuple[Statement, ...]:
    """That a model is judged on what it did not learn, with labels that do not contradict."""
    return (
        Statement(
            "only_good_in_train",
            "Only good images are in train/",
            f"the folder {GOOD}",
            "move defective images to test/<defect>",
            (expect("column_values_to_be_in_set", "defect", where="in_train", value_set=[GOOD]),),
        ),
        Statement(
            "no_leak",
            "No test image is also a training image",
            "no identical files in train/ and test/",
            "remove one of the two; a model must not be judged on what it learned",
            (never("leaked"),),
        ),
        Statement(
            "no_near_leak",
            "No test image is nearly a training image",
            f"pictures apart by {rules.near_copy:g} of what is usual in the class",
            "look at both; remove one if they are the same photo or the same part",
            (never("nearly_leaked"),),
        ),
        Statement(
            "no_conflicting_labels",
            "No test image is both good and defective",
            "no identical files under test/good and a defect",
            "remove the one that is sorted wrongly",
            (never("conflicting"),),
        ),
        Statement(
            "no_masks_among_images",
            "No mask lies among the images",
            "no file that its name makes the mask of an image beside it, as 1_GT.png of 1.png",
            "move it to ground_truth/<defect>/<stem>_mask.png, or remove it; if it is a photo,"
            " rename it",
            (never("among_masks"),),
        ),
        Statement(
            "no_good_among_defects",
            "No folder of defective images is called like good parts",
            f"good parts in test/{GOOD}; no kind called OK, pass, normal, gut or the like",
            f"move its images to test/{GOOD}; if they are defective, give the kind another name",
            (never("like_good"),),
        ),
        Statement(
            "no_copies",
            "No image is there twice",
            "each file once in train/ and once in test/",
            "remove the copies; they count for nothing and flatter the numbers",
            (never("copied"),),
        ),
    )


def about_masks(rules: Validation) -> tuple[Statement, ...]:
    """That masks mark defects of defective images."""
    needed = rules.masks == "required"
    return (
        Statement(
            "masks_present",
            "Defective test images have the masks that are asked for",
            "a mask for each of them" if needed else "any number without a mask",
            "draw ground_truth/<defect>/<stem>_mask.png, or set masks: optional",
            # mostly=0: the images without a mask are still found and listed, but allowed
            (
                expect(
                    "column_values_to_not_be_null",
                    "mask",
                    where="test_defect",
                    mostly=1 if needed else 0,
                ),
            ),
        ),
        Statement(
            "no_mask_on_good",
            "No good image has a mask that marks anything",
            "masks for defective images only, or masks that are black",
            "remove the mask, or move the image to the folder of its defect",
            (never("good_masked"),),
        ),
        Statement(
            "mask_size_matches",
            "Every mask has the size of its image",
            "the width and height of the image",
            "export the mask again in the size of the image",
            tuple(
                expect(
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
            "more than 0 of its pixels",
            "draw the defect, or remove the mask",
            (
                expect(
                    "column_values_to_be_between",
                    "mask_coverage",
                    where="mask_seen",
                    min_value=0,
                    strict_min=True,
                ),
            ),
        ),
        Statement(
            "mask_not_full",
            "No mask marks the whole image",
            f"at most {_WHOLE:.0%} of its pixels",
            "draw the defect alone, white on black; every pixel above 0 counts as defective",
            (between("mask_coverage", None, _WHOLE, where="mask_seen"),),
        ),
        Statement(
            "masks_not_inverted",
            "The masks of every kind mark defects, and not what is around them",
            f"at most {rules.max_mask:.0%} of the image at the median of a kind",
            "export them white on black, the defect white; or, where the defect is that large,"
            " raise max_mask",
            (between("mask_of_kind", None, rules.max_mask, where="mask_seen"),),
        ),
        Statement(
            "mask_of_one_image",
            "Every mask belongs to one image",
            "no two images that differ by their type alone, as 0.png and 0.jpg, over one mask",
            "rename one of the images, and draw a mask of its own or none",
            (never("mask_shared"),),
        ),
        Statement(
            "sharp_masks",
            "No mask has noise or soft edges",
            "no values between the ground and the mark; they are cut at half of the highest",
            "export it as PNG, without smoothing; what is cut counts as good",
            (between("mask_cut", None, 0, where="mask_seen"),),
        ),
    )


def about_strays() -> tuple[Statement, ...]:
    """That nothing lies beside the images without being used."""
    kinds = (
        ("masks_have_images", strays.MASK, "Every mask belongs to an image of test/",
         "ground_truth/<defect>/<stem>_mask.png for test/<defect>/<stem>",
         "rename or remove the mask"),
        ("no_misplaced_images", strays.MISPLACED, "No image lies where it is not used",
         "train/good, test/good and test/<defect>", "move the image to the folder of its kind"),
        ("known_files", strays.UNKNOWN, "There are images and masks only",
         "PNG, JPEG, TIFF, BMP and WebP", "convert other images; remove what is none"),
        ("distinct_names", strays.ALIKE, "No two names differ by case or accents alone",
         "names that differ on every file system", "rename one of them, or merge the folders"),
    )  # fmt: skip
    return tuple(
        Statement(
            code,
            title,
            expected,
            mend,
            (expect("column_values_to_not_be_in_set", "stray", value_set=[kind]),),
            table="strays",
        )
        for code, kind, title, expected, mend in kinds
    )


def about_drift(rules: Validation) -> tuple[Statement, ...]:
    """That the camera is where it was."""
    seen = f"a median within {rules.max_drift:g} spreads of that of the data version before"
    mend = "look at camera, lamp and lens; where the change is wanted, go on"
    measured = (
        ("steady_light", "light", "as bright as before"),
        ("steady_colour", "colour", "of the same colour as before"),
        ("steady_sharpness", "sharpness", "as sharp as before"),
    )
    return (
        *(
            Statement(
                code,
                f"The class as a whole is {word}",
                seen,
                mend,
                (between(column, None, rules.max_drift, where="every"),),
                table="class",
            )
            for code, column, word in measured
        ),
        Statement(
            "steady_size",
            "The images have the size that they had before",
            "the usual size of train/good of the data version before",
            mend,
            (never("size"),),
            table="class",
        ),
    )
