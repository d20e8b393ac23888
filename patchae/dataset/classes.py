"""Which classes a line has: what `lines.yaml` says, given the folders of `data/`."""

from __future__ import annotations

from collections.abc import Sequence

from patchae.config import Line
from patchae.dataset.layout import present_classes
from patchae.errors import ConfigError
from patchae.lines_file import load_lines
from patchae.project import Project


def line_classes(project: Project, line: Line) -> list[str]:
    """The classes of a line, sorted; none when it takes `all` and nothing is left for it.

    Raises:
        ConfigError: `lines.yaml` is not usable.
    """
    return load_lines(project.lines_file).classes(line, present_classes(project.data))


def check_per_class(project: Project, line: Line, known: Sequence[str]) -> None:
    """Hold the names under `per_class` to the classes that there are.

    For a line that takes `all` the file alone cannot: a name that is none would change nothing.

    Raises:
        ConfigError: one of them is no class of the line.
    """
    for name in sorted(set(line.per_class) - set(known)):
        raise ConfigError(
            f"{project.lines_file.name}: lines.{line.name}.per_class.{name}: no class of this line",
            where=str(project.lines_file),
            mend=f"its classes are {', '.join(known)}; correct the name or bring its images in",
        )
