"""What all models of `lines.yaml` share: frozen, no unknown key, no truth value for a number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def is_name(value: str) -> bool:
    """Whether a name may stand in paths, MLflow and Prefect."""
    return _NAME.fullmatch(value) is not None


def checked_name(value: str) -> str:
    """A name that may stand in paths, MLflow and Prefect."""
    if not is_name(value):
        raise ValueError("expected letters, digits, '_' and '-', at most 64, no dot or slash")
    return value


def unique(value: Any) -> Any:
    """A list in which nothing stands twice."""
    if isinstance(value, list | tuple):
        twice = [str(item) for item, count in Counter(map(str, value)).items() if count > 1]
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
    return value


def no_truth_value(value: Any) -> Any:
    """Anything but true or false: pydantic would take `yes` for 1."""
    if isinstance(value, bool):
        raise ValueError("no key takes true or false")  # noqa: TRY004 - the one pydantic knows
    return value


Name = Annotated[str, AfterValidator(checked_name)]
Share = Annotated[float, BeforeValidator(no_truth_value), Field(ge=0, le=1)]


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


class Frozen(BaseModel):
    """One part of `lines.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:
        return no_truth_value(value)
