"""The product lines, and `lines.yaml` as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from patchae.config.base import Frozen, Name, checked_name, is_name, joined, unique
from patchae.config.gates import Gates
from patchae.config.training import Training
from patchae.config.upkeep import DriftPolicy, Retention, Schedule
from patchae.config.validation import Validation
from patchae.errors import UsageError

ALL = "all"


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
        checked_name(item)
    return tuple(unique(value))


class ClassSettings(Frozen):
    """What one class of a line has otherwise than the line."""

    validation: Mapping[str, Any] = Field({})
    """Some keys of `validation`."""
    gates: Mapping[str, Any] = Field({})
    """Some keys of `gates`."""


class Line(Frozen):
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


class Lines(Frozen):
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
        """Return the classes of a line, given the folders of `data/`, sorted.

        A line that takes `all` has no class of a name that an explicit list would refuse; see
        `misnamed`.
        """
        if line.classes != ALL:
            return sorted(line.classes)
        return [name for name in self._left(present) if is_name(name)]

    def misnamed(self, line: Line, present: list[str]) -> list[str]:
        """Return the folders that a line would take, were they called as a class may be, sorted."""
        if line.classes != ALL:
            return []
        return [name for name in self._left(present) if not is_name(name)]

    def _left(self, present: list[str]) -> list[str]:
        """Return the folders that no line names, sorted."""
        taken = {name for line in self.lines if line.classes != ALL for name in line.classes}
        return sorted(set(present) - taken)
