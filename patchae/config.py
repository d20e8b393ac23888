"""The product lines as frozen, typed models; `lines_file` reads them from `lines.yaml`.

Every value in them is usable: a wrong one cannot be constructed. Nothing outside is looked at:
whether a class has images is the data set's business.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from patchae.checks import SEVERITIES, Chosen
from patchae.cron import cron_fields, zone_name
from patchae.errors import UsageError

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

ALL = "all"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("expected letters, digits, '_' and '-', at most 64, no dot or slash")
    return value


def _backbone(value: str) -> str:
    unusual = set(value.split("+")) - set(PACKAGED_BACKBONES)
    if unusual:
        import timm  # seconds of import, so only for the unusual name

        if not all(timm.is_model(name) for name in unusual):
            raise ValueError(
                "expected the name of a timm model, or several joined by '+';"
                f" {', '.join(PACKAGED_BACKBONES)} need no download"
            )
    return str(_list_of_unique(value.split("+")) and value)


def _list_of_unique(value: Any) -> Any:
    if isinstance(value, list | tuple):
        twice = [str(item) for item, count in Counter(map(str, value)).items() if count > 1]
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
    return value


def _classes(value: Any) -> Any:
    if value == ALL:
        return value
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("expected 'all' or a list of folder names of data/")
    for item in value:
        if not isinstance(item, str):
            raise ValueError(  # noqa: TRY004 - pydantic only understands this one
                f"expected folder names; {item!r} is not text (put it in quotes)"
            )
        _name(item)
    return tuple(_list_of_unique(value))


def _strides(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value or set(value) - {2, 4, 8, 16, 32}:
        raise ValueError("expected some of 2, 4, 8, 16, 32")
    return tuple(sorted(value))


def _known_checks(value: Mapping[str, Chosen]) -> Mapping[str, Chosen]:
    unknown = sorted(set(value) - set(SEVERITIES))
    if unknown:
        raise ValueError(f"no check is called '{unknown[0]}'; docs/validation.md lists them")
    return value


Name = Annotated[str, AfterValidator(_name)]
Share = Annotated[float, Field(ge=0, le=1)]


def joined(whole: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`whole`, with what `own` has otherwise; where both hold a mapping, that is joined, too."""
    return {
        **whole,
        **{
            key: {**whole[key], **value}
            if isinstance(value, Mapping) and isinstance(whole.get(key), Mapping)
            else value
            for key, value in own.items()
        },
    }


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:
        if isinstance(value, bool):  # pydantic would take `yes` for 1
            raise ValueError("no key takes true or false")  # noqa: TRY004 - as above
        return value


class Training(_Frozen):
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
    strides: Annotated[
        tuple[int, ...], BeforeValidator(_list_of_unique), AfterValidator(_strides)
    ] = (8, 16)
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


class Gates(_Frozen):
    """What a model must show before it becomes champion.

    Every limit is held against a confidence interval, not against the number in its middle.
    """

    confidence: float = Field(0.95, ge=0.5, lt=1)
    """Of the intervals, two-sided; the lower end alone is surer: 0.975 for 0.95."""
    min_image_auroc: Share = 0.9
    """Image AUROC on the test images: its whole interval must lie here or above."""
    max_drop: Share = 0.03
    """How far image AUROC may lie below the champion's on the same images: the margin of
    non-inferiority. The whole interval of the difference must keep it."""
    min_recall: Share = 0.0
    """Share of each kind of defect that raises an alarm; 0 asks for nothing."""
    min_recall_of: Mapping[str, Share] = Field({})
    """The same for single kinds, by the names of their folders."""
    max_false_alarms: Share = 0.5
    """Share of good images that raise an alarm; 1 asks for nothing."""
    max_ms_per_image: float | None = Field(None, gt=0)
    """Milliseconds per image where the model was judged."""
    older_data: Literal["reject", "allow"] = "reject"
    """A model of an older data version than the champion's."""
    min_test_good: int = Field(5, ge=1)
    """Fewer good test images than this: the verdict is `hold`, whatever they show."""
    min_test_defect: int = Field(5, ge=1)
    """Fewer defective test images than this: the verdict is `hold`, whatever they show."""


class Validation(_Frozen):
    """What the images of a class must be before anything is trained on them."""

    min_train_good: int = Field(20, ge=5)
    min_test_good: int = Field(3, ge=1)
    min_test_defect: int = Field(3, ge=1)
    modes: Annotated[
        tuple[Literal["L", "RGB", "RGBA", "P", "I;16"], ...],
        BeforeValidator(_list_of_unique),
        Field(min_length=1),
    ] = ("L", "RGB")
    """Allowed Pillow image modes."""
    min_side_px: int = Field(64, ge=1)
    max_side_px: int = Field(8192, ge=1)
    masks: Literal["required", "optional"] = "optional"
    """Whether every defective test image must have a mask."""
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


class Schedule(_Frozen):
    """When a line is retrained by itself."""

    cron: Annotated[str, AfterValidator(cron_fields)]
    timezone: Annotated[str, AfterValidator(zone_name)] = "UTC"


class DriftPolicy(_Frozen):
    """How a line is watched for drift; see `docs/drift.md`."""

    schedule: Schedule | None = None
    """When `patchae deploy` has Prefect look; None: when somebody asks."""
    false_alarms_per_year: float = Field(1.0, gt=0, le=365)
    """Looks of the whole line that may find drift where there is none."""
    smallest_effect: float = Field(0.5, ge=0, le=100)
    """Smallest difference that matters, in standard deviations of the reference."""
    images: int = Field(200, ge=10, le=10_000)
    """Newest images that a look is at."""
    least_images: int = Field(50, ge=8, le=10_000)
    """With fewer that no look has had there is no look."""

    @model_validator(mode="after")
    def _possible(self) -> DriftPolicy:
        if self.least_images > self.images:
            raise ValueError(f"least_images {self.least_images} is more than images {self.images}")
        return self


class ClassSettings(_Frozen):
    """What one class of a line has otherwise than the line."""

    validation: Mapping[str, Any] = Field({})
    """Some keys of `validation`."""
    gates: Mapping[str, Any] = Field({})
    """Some keys of `gates`."""


class Line(_Frozen):
    """One product line."""

    name: Name
    description: str = ""
    classes: Annotated[tuple[str, ...] | Literal["all"], BeforeValidator(_classes)]
    """Folders of `data/`; `all`: every folder that no other line names."""
    schedule: Schedule | None = None
    work_pool: Name = "patchae"
    """Prefect work pool whose workers train its classes."""
    data_pool: Name | None = None
    """Work pool whose workers have the project's folder, where retrainings begin and end; default:
    the same."""
    classes_per_run: int = Field(1, ge=1, le=1000)
    """Classes that one worker trains in one run, one after the other."""
    training: Training = Training()
    validation: Validation = Validation()
    gates: Gates = Gates()
    drift: DriftPolicy = DriftPolicy()
    per_class: Mapping[Name, ClassSettings] = Field({})
    """By class, what it has otherwise."""

    @model_validator(mode="after")
    def _per_class_fits(self) -> Line:
        for name in self.per_class:
            if self.classes != ALL and name not in self.classes:
                raise ValueError(f"per_class: '{name}' is no class of this line")
            for part, of_class in (("validation", self.validation_of), ("gates", self.gates_of)):
                try:
                    of_class(name)
                except ValidationError as error:
                    first = error.errors()[0]
                    key = ".".join(map(str, first["loc"]))
                    raise ValueError(f"per_class.{name}.{part}.{key}: {first['msg']}") from None
        return self

    def validation_of(self, class_name: str) -> Validation:
        """`validation` of one class: the line's, with what the class has otherwise."""
        own = self.per_class.get(class_name, ClassSettings()).validation
        return Validation(**joined(self.validation.model_dump(exclude_unset=True), own))

    def gates_of(self, class_name: str) -> Gates:
        """`gates` of one class: the line's, with what the class has otherwise."""
        own = self.per_class.get(class_name, ClassSettings()).gates
        return Gates(**joined(self.gates.model_dump(exclude_unset=True), own))

    def model_name(self, class_name: str) -> str:
        """Name of the registered model of a class."""
        return f"{self.name}.{class_name}"


Days = Annotated[int, Field(ge=1, le=36_500)]


class Retention(_Frozen):
    """How long what is kept that nobody needs; `patchae tidy` removes it. See `docs/tidy.md`.

    `null` keeps something for ever. Nothing that the ledger names is ever removed.
    """

    schedule: Schedule = Schedule(cron="0 4 * * 0")
    """When `patchae deploy` has Prefect tidy."""
    work_pool: Name = "patchae"
    """Work pool whose workers have the project's folder, and an account that may move aliases."""
    keep_last: int = Field(5, ge=1)
    """Newest versions of each model that keep their weights, whatever their age."""
    unpromoted_models_days: Days | None = 90
    """After its last verdict, a version that never was champion lets go of its weights."""
    failed_runs_days: Days | None = 30
    """MLflow runs that ended without a version, with their files."""
    work_days: Days | None = 14
    """Trained models that were never registered, and what killed trainings left."""
    cache_days: Days | None = 30
    """Images in DVC's cache of versions that are not in use, if the remote holds them whole."""
    recent_days: Days | None = 30
    """Images that the scoring service kept to look for drift."""
    drift_days: Days | None = 180
    """Looks for drift; the newest of each model stays, and those that monitoring goes by."""


class Lines(_Frozen):
    """The whole of `lines.yaml`."""

    lines: tuple[Line, ...]
    retention: Retention | None = None
    """None: nothing is tidied by itself."""

    def line(self, name: str) -> Line:
        """The line called `name`.

        Raises:
            UsageError: there is none.
        """
        for line in self.lines:
            if line.name == name:
                return line
        known = ", ".join(line.name for line in self.lines)
        raise UsageError(
            f"no line is called '{name}'",
            where="lines.yaml",
            mend=f"use one of: {known}; or add the line",
        )

    def classes(self, line: Line, present: list[str]) -> list[str]:
        """The classes of a line, given the folders that are present in `data/`, sorted."""
        if line.classes != ALL:
            return sorted(line.classes)
        taken = {name for other in self.lines if other.classes != ALL for name in other.classes}
        return sorted(set(present) - taken)
