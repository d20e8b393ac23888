"""What validation would say against images that are about to come into a class.

The statements are those of the suite, and so are the facts: the class as it will be. What refuses
the class afterwards refuses the image before it is copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from patchae.dataset.layout import ImageFile
from patchae.dataset.manifest import manifest_of
from patchae.dataset.picture import Picture
from patchae.dataset.validation import about_images
from patchae.dataset.validation.facts import facts
from patchae.dataset.validation.statement import Statement
from patchae.dataset.validation.suite import severity, statements

if TYPE_CHECKING:
    import pandas as pd

    from patchae.config import Validation

Read = tuple[ImageFile, Picture]


def objections(
    rules: Validation, class_name: str, present: Iterable[Read], new: Sequence[Read]
) -> list[str]:
    """Return one line for each new image and each check of single images that would stop the class.

    Args:
        rules: those of the class.
        class_name: the class.
        present: its images.
        new: as they would lie in it; their paths are what they are called in the lines.
    """
    if not new:
        return []
    frame = facts(manifest_of(class_name, [*present, *new]), class_name, near_copy=0)
    frame = frame.tail(len(new))
    rows = frame.to_dict("records")
    lines = []
    for statement in of_each_image(rules):
        against = offending(frame, statement)
        lines += [
            f"{row['path']}: expected {statement.expected}{_got(row, statement)}; {statement.mend}"
            for row in rows
            if row["path"] in against
        ]
    return lines


def of_each_image(rules: Validation) -> list[Statement]:
    """Return the checks of single images that stop a class under these rules."""
    every = (
        *about_images.about_files(rules),
        *about_images.about_form(rules),
        *about_images.about_looks(rules),
    )
    codes = {statement.code for statement in every}
    return [
        statement
        for statement in statements(rules)
        if statement.code in codes and severity(statement.code, rules) == "error"
    ]


def offending(frame: pd.DataFrame, statement: Statement) -> set[str]:
    """Return the paths that a check of single images finds, without Great Expectations.

    To import that takes seconds, and a capture may run every minute.

    Raises:
        ValueError: it expects what is not known here.
    """
    return {
        path
        for expectation in statement.expectations
        for path in frame["path"][_broken(frame, expectation)]
    }


def _broken(frame: pd.DataFrame, expectation: dict[str, Any]) -> pd.Series[bool]:
    kwargs = expectation["kwargs"]
    values: pd.Series[Any] = frame[kwargs["column"]]
    match expectation["type"]:
        case "expect_column_values_to_be_in_set":
            broken: pd.Series[bool] = ~values.isin(kwargs["value_set"])
        case "expect_column_values_to_not_be_in_set":
            broken = values.isin(kwargs["value_set"])
        case "expect_column_values_to_be_between":
            low, high = kwargs.get("min_value"), kwargs.get("max_value")
            broken = values.isna()
            if low is not None:
                broken |= values < low
            if high is not None:
                broken |= values > high
        case kind:
            raise ValueError(f"no check of single images: {kind}")
    if "row_condition" in kwargs:
        broken = broken & frame[kwargs["row_condition"]["column"]["name"]]
    return broken


def _got(row: dict[Any, Any], statement: Statement) -> str:
    """Return what an image is instead, where that is a number or a name."""
    values = [row[expectation["kwargs"]["column"]] for expectation in statement.expectations]
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values
             if not isinstance(value, bool)]  # fmt: skip
    return f", not {' x '.join(texts)}" if texts else ""
