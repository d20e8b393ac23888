"""`validation:` of a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from patchae.checks import SEVERITIES, Chosen
from patchae.config.base import Frozen, Share, unique


def _known_checks(value: Mapping[str, Chosen]) -> Mapping[str, Chosen]:
    unknown = sorted(set(value) - set(SEVERITIES))
    if unknown:
        raise ValueError(f"no check is called '{unknown[0]}'; docs/validation.md lists them")
    return value


class Validation(Frozen):
    """What the images of a class must be before anything is trained on them."""

    min_train_good: int = Field(20, ge=5)
    min_test_good: int = Field(3, ge=1)
    min_test_defect: int = Field(3, ge=1)
    modes: Annotated[
        tuple[Literal["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"], ...],
        BeforeValidator(unique),
        Field(min_length=1),
    ] = ("L", "RGB")
    """Allowed Pillow image modes, of those that a model can see (`patchae.images.MODES`)."""
    min_side_px: int = Field(64, ge=1)
    max_side_px: int = Field(8192, ge=1)
    max_pixels: int = Field(100_000_000, ge=1)
    """Width times height; larger images are not decoded."""
    masks: Literal["required", "optional"] = "optional"
    """Whether every defective test image must have a mask."""
    max_mask: Share = 0.6
    """Of the masks of one kind, the share of their image that they mark at the median."""
    min_contrast: Share = 0.01
    """Standard deviation of the luminance, 0..0.5."""
    min_brightness: Share = 0.02
    """Mean luminance; 1 is white."""
    max_white: Share = 0.9
    """Share of pixels at full white."""
    min_sharpness: float = Field(0.5, ge=0)
    """Of a good image, in units of the median of train/good."""
    max_dead_pixels: int = Field(4, ge=0)
    """Pixels that differ from all neighbours by half of the range."""
    near_copy: Share = 0.25
    """Two pictures are nearly the same when they differ by less than this share of what is usual in
    the class; 0 looks for none."""
    max_drift: float = Field(4.0, gt=0)
    """How far the medians of train/good may move from the data version before, in its spreads."""
    severity: Annotated[Mapping[str, Chosen], AfterValidator(_known_checks)] = Field({})
    """Severity of single checks where it is not the default: error, warning or ignore."""

    @model_validator(mode="after")
    def _sides_in_order(self) -> Validation:
        if self.min_side_px > self.max_side_px:
            raise ValueError("min_side_px: expected at most max_side_px")
        return self
