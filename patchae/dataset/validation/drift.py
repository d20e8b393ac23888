"""How a class looks as a whole, and how far that is from the data version before.

Cameras are moved, cleaned and given other firmware. No single image shows it; the median of all
good training images does. What counts as far is measured by how widely the images of the version
before scatter around theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field

if TYPE_CHECKING:
    import pandas as pd

_SPREAD = 1.4826
"""A median absolute deviation times this is a standard deviation, where values are normal."""
_LEAST = {"brightness": 0.01, "red": 0.005, "blue": 0.005, "sharpness": 0.02}
"""Spread below which nobody would see a difference; that of sharpness is a share of its median."""


@dataclass(frozen=True)
class Level:
    """One measure over the images of a class."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    median: float
    spread: Annotated[float, Field(ge=0)]
    """Robust standard deviation."""


@dataclass(frozen=True)
class Appearance:
    """How the good training images of a class look as a whole."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    images: Annotated[int, Field(ge=0)]
    brightness: Level
    red: Level
    blue: Level
    sharpness: Level
    width: Level
    height: Level


def appearance(frame: pd.DataFrame) -> Appearance:
    """Of a class, from its `facts`."""
    seen = frame[frame["train_good"] & frame["image_seen"]]
    measures = ("brightness", "red", "blue", "sharpness", "width", "height")
    return Appearance(len(seen), **{name: _level(seen[name]) for name in measures})


def table(path: str, now: Appearance, before: Appearance | None) -> pd.DataFrame:
    """One row of distances from the version before, in its spreads; 0 where there is none.

    Columns path, light, colour, sharpness; size, whether the usual size is another one; and every,
    which is true.
    """
    import pandas as pd

    moved: Mapping[str, Any] = {"light": 0.0, "colour": 0.0, "sharpness": 0.0, "size": False}
    if before is not None and before.images and now.images:
        moved = {
            "light": _moved(now, before, "brightness"),
            "colour": max(_moved(now, before, "red"), _moved(now, before, "blue")),
            "sharpness": _moved(now, before, "sharpness"),
            "size": (now.width.median, now.height.median)
            != (before.width.median, before.height.median),
        }
    return pd.DataFrame([{"path": path, "every": True, **moved}])


def _moved(now: Appearance, before: Appearance, measure: str) -> float:
    old: Level = getattr(before, measure)
    new: Level = getattr(now, measure)
    least = _LEAST[measure] * (abs(old.median) if measure == "sharpness" else 1)
    return abs(new.median - old.median) / max(old.spread, least, 1e-9)


def _level(values: pd.Series[float]) -> Level:
    if values.empty:
        return Level(0.0, 0.0)
    numbers = values.astype("float64")
    median = float(numbers.median())
    # Six digits are far below anything that matters and above the last bit of a sum.
    spread = _SPREAD * float((numbers - median).abs().median())
    return Level(round(median, 6), round(spread, 6))
