"""The checks of images, by code: how bad it is when one does not pass.

Codes are stable; records, reports and `severity` in `lines.yaml` use them. An `error` stops the
class, a `warning` is recorded and goes on. docs/validation.md explains every one.
"""

from __future__ import annotations

from typing import Literal

Severity = Literal["error", "warning"]
Chosen = Literal["error", "warning", "ignore"]

SEVERITIES: dict[str, Severity] = {
    # the class as a whole
    "not_empty": "error",
    "layout": "error",
    "unique_paths": "error",
    "enough_train_good": "error",
    "enough_test_good": "error",
    "enough_test_defect": "warning",  # the verdict is `hold` until there are some
    # each file
    "no_empty_files": "error",
    "allowed_pixels": "error",
    "decodable": "error",
    "one_frame": "error",
    "upright": "error",
    "type_matches_name": "warning",
    "allowed_mode": "error",
    "allowed_size": "error",
    "same_mode": "warning",
    "same_size": "warning",
    # how it looks
    "not_uniform": "error",
    "not_too_dark": "error",
    "not_overexposed": "error",
    "in_focus": "warning",
    "no_dead_pixels": "warning",
    # whether a model can be judged fairly
    "only_good_in_train": "error",
    "no_leak": "error",
    "no_near_leak": "warning",
    "no_conflicting_labels": "error",
    "no_masks_among_images": "error",
    "no_good_among_defects": "error",
    "no_copies": "warning",
    # masks
    "masks_present": "error",
    "masks_decodable": "error",
    "no_mask_on_good": "error",
    "mask_size_matches": "error",
    "mask_not_empty": "error",
    "mask_not_full": "error",
    "masks_not_inverted": "error",
    "mask_of_one_image": "error",
    "sharp_masks": "warning",
    # what lies beside them
    "masks_have_images": "error",
    "no_misplaced_images": "warning",
    "known_files": "warning",
    "distinct_names": "error",
    # against the data version before
    "steady_light": "warning",
    "steady_colour": "warning",
    "steady_sharpness": "warning",
    "steady_size": "warning",
}
"""Severity of each check unless a line says otherwise."""
