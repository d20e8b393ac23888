"""Checks of single images: the file, and how it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchae.dataset.validation.statement import Statement, between, expect, never

if TYPE_CHECKING:
    from patchae.config import Validation


def about_files(rules: Validation) -> tuple[Statement, ...]:
    """Whether each file is one whole image, and says so."""
    faults = (
        ("no_empty_files", "empty", "No image is an empty file", "files with content",
         "copy the file from the camera again, or remove it"),
        ("allowed_pixels", "pixels", "No image claims more pixels than are decoded",
         f"at most {rules.max_pixels:,} pixels",
         "make the image smaller, or raise validation.max_pixels in lines.yaml"),
        ("decodable", "damaged", "Every image can be decoded", "a whole, readable file",
         "copy the file from the camera again, or remove it"),
        ("masks_decodable", "mask", "Every mask can be decoded", "a whole, readable file",
         "draw or export the mask again, or remove it"),
    )  # fmt: skip
    return (
        *(
            Statement(
                code,
                title,
                expected,
                mend,
                (expect("column_values_to_not_be_in_set", "fault", value_set=[fault]),),
            )
            for code, fault, title, expected, mend in faults
        ),
        Statement(
            "one_frame",
            "Every file holds one image",
            "one page or frame",
            "save the page that shows the part as a file of its own",
            (between("frames", None, 1, where="image_seen"),),
        ),
        Statement(
            "upright",
            "No image asks to be turned by whoever shows it",
            "no EXIF rotation",
            "turn the pixels and remove the EXIF orientation, so that masks and people agree",
            (
                expect(
                    "column_values_to_be_in_set", "upright", where="image_seen", value_set=[True]
                ),
            ),
        ),
        Statement(
            "type_matches_name",
            "Every file is of the type that its name says",
            "PNG in .png, JPEG in .jpg, .jpeg, .jpe and .jfif, TIFF in .tif and .tiff, BMP in .bmp,"
            " WebP in .webp",
            "rename the file, or correct what writes it",
            (never("another_type"),),
        ),
    )


def about_form(rules: Validation) -> tuple[Statement, ...]:
    """Colour modes and sizes."""
    sides = (rules.min_side_px, rules.max_side_px)
    return (
        Statement(
            "allowed_mode",
            "Every image has an allowed colour mode",
            " or ".join(rules.modes),
            f"convert it to {' or '.join(rules.modes)}, or add its mode to validation.modes in"
            " lines.yaml; 16 bits per colour, 32 bits and floats can only be scaled to 8 bits",
            (
                expect(
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
            "remove what is no photo of the part (a thumbnail), or change validation.min_side_px"
            " and validation.max_side_px in lines.yaml",
            tuple(between(side, *sides, where="image_seen") for side in ("width", "height")),
        ),
        Statement(
            "same_mode",
            "All images have the same colour mode",
            "that of most of them",
            "convert them, or give images of another camera a class of their own",
            (never("other_mode"),),
        ),
        Statement(
            "same_size",
            "All images have the same size",
            "that of most of them",
            "give images of another camera a class of their own",
            (never("other_size"),),
        ),
    )


def about_looks(rules: Validation) -> tuple[Statement, ...]:
    """Light, focus and dead pixels."""
    return (
        Statement(
            "not_uniform",
            "Every image shows something",
            f"contrast of at least {rules.min_contrast:g}",
            "look for a covered lens or a lost signal; remove the image",
            (between("contrast", rules.min_contrast, None, where="image_seen"),),
        ),
        Statement(
            "not_too_dark",
            "No image is too dark",
            f"mean brightness of at least {rules.min_brightness:g}",
            "look at lamp and exposure; remove the image",
            (between("brightness", rules.min_brightness, None, where="image_seen"),),
        ),
        Statement(
            "not_overexposed",
            "No image is over-exposed",
            f"at most {rules.max_white:g} of all pixels at full white",
            "look at lamp and exposure; remove the image",
            (between("white", None, rules.max_white, where="image_seen"),),
        ),
        Statement(
            "in_focus",
            "Every good image is as sharp as the class usually is",
            f"at least {rules.min_sharpness:g} of the median of train/good",
            "look at lens, focus and exposure time; remove the image",
            (between("sharper", rules.min_sharpness, None, where="good_seen"),),
        ),
        Statement(
            "no_dead_pixels",
            "No image has dead pixels",
            f"at most {rules.max_dead_pixels} pixels that stand out alone",
            "map the camera's dead pixels out, or exchange it",
            (between("dead", None, rules.max_dead_pixels, where="image_seen"),),
        ),
    )
