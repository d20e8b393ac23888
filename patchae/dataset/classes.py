"""Which classes a line has: what `lines.yaml` says, given the folders of `data/`."""

from __future__ import annotations

from patchae.config import Line
from patchae.dataset.layout import present_classes
from patchae.lines_file import load_lines
from patchae.project import Project


def line_classes(project: Project, line: Line) -> list[str]:
    """The classes of a line, sorted; none when it takes `all` and nothing is left for it.

    Raises:
        ConfigError: `lines.yaml` is not usable.
    """
    return load_lines(project.lines_file).classes(line, present_classes(project.data))
