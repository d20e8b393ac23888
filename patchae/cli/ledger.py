"""Commands on the ledger itself: verify, export, anchor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Json, as_json, here

if TYPE_CHECKING:
    from patchae.registry.chain import Row

ledger = typer.Typer(
    name="ledger",
    help="Verify the ledger, write it out, note how far it has come.",
    no_args_is_help=True,
)


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(ledger)


@ledger.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="An export; needs no project. Default: the ledger.")
    ] = None,
    anchor: Annotated[
        str | None, typer.Option(help="What `ledger anchor` printed earlier: is it still held?")
    ] = None,
    json: Json = False,
) -> None:
    """Recompute the chain of the ledger or of an export; exit code 1 when it is broken."""
    from patchae.errors import AuditBroken
    from patchae.registry.chain import faults
    from patchae.registry.export import Anchor

    noted = Anchor.of(anchor) if anchor else None
    rows, where = _rows(file)
    found = faults(rows) + (noted.faults(rows) if noted else [])
    for fault in found:
        print(fault)
    state = "broken" if found else "intact"
    held = " and holds the anchor" if noted and not found else ""
    print(f"{state}: {len(rows)} rows{held}")
    if json:
        as_json({"file": where, "rows": len(rows), "state": state, "faults": found})
    if found:
        raise AuditBroken(
            f"the ledger is broken: {found[0]}",
            where=where,
            mend="restore it from a backup that holds the anchor; docs/ledger.md says more",
        )


@ledger.command()
def export(
    file: Annotated[Path, typer.Argument(help="File to write, one row a line.")],
    json: Json = False,
) -> None:
    """Write all rows as JSON lines, which `ledger verify FILE` checks anywhere."""
    from patchae.errors import AuditBroken
    from patchae.files import write_text
    from patchae.registry.export import to_lines

    rows, where = _rows(None)
    try:
        text = to_lines(rows)
    except ValueError as error:
        raise AuditBroken(
            f"the ledger cannot be written out: {error}",
            where=where,
            mend="`patchae ledger verify` names the row that was altered",
        ) from None
    write_text(file, text)
    print(f"{len(rows)} rows: {file}")
    if json:
        as_json({"file": str(file), "rows": len(rows)})


@ledger.command()
def anchor(json: Json = False) -> None:
    """Print the number and digest of the newest row, to be kept where nobody can change them."""
    from patchae.errors import UsageError
    from patchae.registry.export import Anchor
    from patchae.types import Sha256

    rows, where = _rows(None)
    if not rows:
        raise UsageError(
            "the ledger has no rows yet", where=where, mend="`patchae retrain LINE` writes some"
        )
    newest = Anchor(rows[-1].seq, Sha256(rows[-1].digest))
    print(newest)
    if json:
        as_json({"seq": newest.seq, "digest": newest.digest, "time": rows[-1].time})


def _rows(file: Path | None) -> tuple[list[Row], str]:
    """Rows and where they are from; a file is read outside any project."""
    from patchae.registry.export import from_lines

    if file is not None:
        from patchae.errors import DataError

        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise DataError("not text", where=str(file), mend="give an export") from None
        return from_lines(text, str(file)), str(file)
    from patchae.registry.ledger import Ledger

    own = Ledger.of(here())
    return own.rows(), str(own.path)
