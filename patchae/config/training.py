"""`training:` of a line: what determines a model, and the presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from patchae.config.base import Frozen, unique

PACKAGED_BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
"""timm names whose ImageNet weights come inside a Python package: nothing is downloaded."""

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "backbone": "tf_efficientnet_lite0",
        "image_size": 256,
        "epochs": 4,
        "damaged_images": 500,
        "memory_size": 2_000,
    },
    "balanced": {},
    "best": {
        "backbone": "tf_efficientnet_lite0+tf_efficientnet_lite1+tf_efficientnet_lite2",
        "epochs": 10,
        "damaged_images": 3_000,
        "memory_size": 20_000,
    },
}
"""What `preset` under `training:` sets; other keys beside it win."""


def _backbone(value: str) -> str:
    unusual = set(value.split("+")) - set(PACKAGED_BACKBONES)
    if unusual:
        import timm  # seconds of import, so only for the unusual name

        if not all(timm.is_model(name) for name in unusual):
            raise ValueError(
                "expected the name of a timm model, or several joined by '+';"
                f" {', '.join(PACKAGED_BACKBONES)} need no download"
            )
    return str(unique(value.split("+")) and value)


def _strides(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value or set(value) - {2, 4, 8, 16, 32}:
        raise ValueError("expected some of 2, 4, 8, 16, 32")
    return tuple(sorted(value))


class Training(Frozen):
    """What determines a model besides the images and the source: all of it is in the training key.

    One set of defaults serves every class; `docs/lines.md` says what each value does. `preset` is
    no value of its own but a name for several: equal values are equal settings however written.
    """

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "preset" not in value:
            return value
        name = value["preset"]
        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(f"preset: expected one of {', '.join(PRESETS)}")
        return {**PRESETS[name], **{key: kept for key, kept in value.items() if key != "preset"}}

    backbone: Annotated[str, AfterValidator(_backbone)] = (
        "tf_efficientnet_lite0+tf_efficientnet_lite1"
    )
    """timm name of the pretrained network that gives the features, or several joined by `+`; they
    stay frozen."""
    strides: Annotated[tuple[int, ...], BeforeValidator(unique), AfterValidator(_strides)] = (8, 16)
    """Feature levels to use, by their stride in pixels; the smallest sets the patch size."""
    image_size: int = Field(320, ge=64, le=1024, multiple_of=32)
    """Side in pixels to which images are resized."""
    pose: Literal["found", "as-is"] = "found"
    """Whether parts that lie in any direction are turned upright; `found`: where train/good shows
    that they do."""
    channels: int = Field(64, ge=8, le=1024)
    """Length of the learned part of each patch vector."""
    epochs: int = Field(6, ge=0, le=1000)
    """Passes of the auto-encoder over the patches drawn; 0 keeps the untrained encoder."""
    batch_size: int = Field(8, ge=1, le=1024)
    """Images that go through the network at a time."""
    precision: Literal["auto", "full", "mixed"] = "auto"
    """Of the pretrained networks: 32 bits, or 16 where they suffice; `auto`: mixed on CUDA."""
    learning_rate: float = Field(2e-3, gt=0, le=1)
    """Of the auto-encoder."""
    damaged_images: int = Field(1_500, ge=0, le=100_000)
    """Copies of training images with an artificial defect to learn from; 0: none, and no heads."""
    memory_size: int = Field(5_000, ge=100, le=1_000_000)
    """Vectors of normal patches to keep."""
    neighbours: int = Field(3, ge=1, le=50)
    """Nearest normal vectors that a patch is compared with."""
    calibration_share: float = Field(0.2, ge=0.05, le=0.5)
    """Share of train/good, split off by content, that sets the threshold and is not learned."""
    false_alarm_rate: float = Field(0.02, gt=0, lt=0.5)
    """Share of good parts that may score above the threshold."""
    seed: int = Field(0, ge=0, lt=2**31)
