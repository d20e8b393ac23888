"""What commands print: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from patchae.project import Project

Json = Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")]


LineName = Annotated[str, typer.Argument(metavar="LINE", help="A line of lines.yaml.")]
Classes = Annotated[
    list[str] | None, typer.Option("--class", help="Only this class; may be repeated.")
]
TrustedKeys = Annotated[
    list[Path] | None,
    typer.Option(
        help="A public key that is trusted; from the first signed row on all must be signed."
    ),
]


CONSOLE_LEVEL = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"
"""Variable that says how much of its own log Prefect prints."""


def here(*, reading: bool = False) -> Project:
    """The project around the current folder, with the environment that its libraries need.

    Args:
        reading: whether the command only reads; it then works in a project that was copied or
            moved, and says on standard error that it was.

    Raises:
        ConfigError: there is none.
        UsageError: it was copied or moved, and the command does not only read.
    """
    from patchae.project import Project, prepare_environment
    from patchae.relocation import describe, read_former_states

    project = Project.find()
    prepare_environment(project, reading=reading)
    if reading:
        for former in read_former_states(project.state):
            note = describe(former, project.state)
            sys.stderr.write(f"patchae: {note}; `patchae relocate` puts that right\n")
    # Prefect's own log would stand between our lines; its pages still have all of it.
    os.environ.setdefault(CONSOLE_LEVEL, "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
    return project


def as_json(value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print one JSON value as one line."""
    print(json.dumps(value, allow_nan=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table: drawn on a terminal, aligned plain text elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        # As text: a reason or a file name in brackets is no markup.
        named = Text(title, style="table.title") if title else None
        drawn = Table(*columns, title=named, title_justify="left")
        for row in rows:
            drawn.add_row(*map(Text, row))
        Console().print(drawn)
        return
    if title:
        print(title)
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def decimal(value: float | None, digits: int = 4) -> str:
    """A number for a table; `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
