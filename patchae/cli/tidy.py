"""The command that removes what the retention policy lets go: tidy."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Json, as_json, here, table

if TYPE_CHECKING:
    from patchae.steps.tidy import Tidying

_UNITS = ("B", "kB", "MB", "GB", "TB")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(tidy)


def tidy(
    line: Annotated[
        str | None,
        typer.Argument(metavar="LINE", help="Only what belongs to this line; default: all."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go and what stays; do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without a question.")] = False,
    json: Json = False,
) -> None:
    """Remove what nobody needs any more, by the policy in lines.yaml; never what the ledger names.

    `retention:` in lines.yaml is the policy; without it the defaults count.
    """
    from patchae.console import progress_of, watch
    from patchae.steps.tidy import freed, look

    found = look(here(), line)
    _show(found)
    agreed = not dry_run and bool(found.plan.items) and (yes or _agreed(found))
    removed = []
    if agreed:
        with watch():
            for one in found.carry_out(progress_of("tidy")):
                removed.append(one)
                if one.stays:
                    print(f"{one.item.kind} {one.item.what} stays: {one.stays}")
        print(f"removed: {sum(one.stays is None for one in removed)}, {_size(freed(removed))}")
    elif found.plan.items and not dry_run:
        print("nothing was removed: --yes removes it without a question")
    if json:
        as_json(
            {
                "dry_run": dry_run,
                "line": line,
                "may_go": [
                    {"kind": item.kind, "what": item.what, "bytes": item.bytes, "why": item.why}
                    for item in found.plan.items
                ],
                "kept": [
                    {"kind": one.kind, "why": one.why, "count": one.count}
                    for one in found.plan.kept
                ],
                "removed": [one.to_dict() for one in removed],
                "bytes": freed(removed),
            }
        )


def _show(found: Tidying) -> None:
    plan = found.plan
    if plan.items:
        rows = [(item.kind, _short(item.what), _size(item.bytes), item.why) for item in plan.items]
        table(("kind", "what", "size", "why"), rows, title="May go")
    if plan.kept:
        kept = [(one.kind, str(one.count), one.why) for one in plan.kept]
        table(("kind", "count", "why"), kept, title="Stays")
    print(f"{len(plan.items)} may go, {_size(plan.bytes)}")


def _agreed(found: Tidying) -> bool:
    """Whether a person at a terminal says yes."""
    if not sys.stdin.isatty():
        return False
    return typer.confirm(f"remove {len(found.plan.items)}, {_size(found.plan.bytes)}?")


def _short(what: str) -> str:
    """A name with the first digits of a training key; JSON and the log have it whole."""
    return re.sub(r"([0-9a-f]{12})[0-9a-f]{52}", r"\1...", what)


def _size(count: float) -> str:
    """Bytes for people: powers of 1000, three digits at most."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    digits = 0 if unit == 0 or count >= 100 else 1
    return f"{count:.{digits}f} {_UNITS[unit]}"
