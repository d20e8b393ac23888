"""What a check says, as data: words for people, expectations for Great Expectations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Table = Literal["images", "strays", "class"]
"""What a statement speaks about, see `facts`, `strays` and `drift`."""


@dataclass(frozen=True)
class Statement:
    """One check; it passes when every one of its expectations is met."""

    code: str
    """Stable name, known to users and to records; its severity is in `patchae.checks`."""
    title: str
    """A plain sentence that is true when the check passes."""
    expected: str
    """What is allowed, in words."""
    mend: str
    """What to do with what it finds."""
    expectations: tuple[dict[str, Any], ...]
    """Each `{"type": ..., "kwargs": {...}}`, in Great Expectations' own JSON form."""
    table: Table = "images"


def expect(
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


def never(column: str, *, where: str | None = None) -> dict[str, Any]:
    """A column of true and false is false everywhere."""
    return expect("column_values_to_be_in_set", column, where=where, value_set=[False])


def between(column: str, low: float | None, high: float | None, *, where: str) -> dict[str, Any]:
    """Numbers lie in a range, limits included."""
    limits = {"min_value": low, "max_value": high}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return expect("column_values_to_be_between", column, where=where, **given)
