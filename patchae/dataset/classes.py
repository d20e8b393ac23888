"""Which classes a line has: what `lines.yaml` says, given the folders of `data/`."""

from __future__ import annotations

import re
import shlex
import unicodedata
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


def check_names(project: Project, line: Line, wanted: Sequence[str] | None = None) -> None:
    """Hold the folders that a line with `classes: all` takes to the names that a list may hold.

    A class of another name could be trained, but no command, store or page would take its name.

    Args:
        project: whose `data/` it is.
        line: one of its lines.
        wanted: look at these alone; by default at all.

    Raises:
        ConfigError: a folder is called as no class may be; it says how to rename it.
    """
    present = present_classes(project.data)
    misnamed = load_lines(project.lines_file).misnamed(line, present)
    if wanted is not None:
        misnamed = [name for name in misnamed if name in wanted]
    if misnamed:
        first, more = misnamed[0], len(misnamed) - 1
        others = f" and {more} more folder{'s' * (more > 1)}" if more else ""
        raise ConfigError(
            f"line '{line.name}' takes all classes, and {first!r}{others} of data/ cannot be one:"
            " expected letters, digits, '_' and '-', at most 64, no dot or slash",
            where=str(project.data / first),
            mend=f"mv {shlex.quote(f'data/{first}')} data/{_name_like(first, present)}; or name the"
            " classes of the line in lines.yaml, or move what is no class out of data/",
        )


def _name_like(folder: str, taken: Sequence[str]) -> str:
    """Return a name that a class may have and no folder has, as near as can be to a folder's."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
    near = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")[:60].rstrip("-_") or "class"
    free = (near, *(f"{near}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in free if name not in taken)


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
