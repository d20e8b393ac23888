"""The command that writes model cards: card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchae.cli.output import Json, as_json, here


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(card)


def card(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write, NAME.md or NAME.html. Default: print it.")
    ] = None,
    json: Json = False,
) -> None:
    """Make the model card of a version from its lineage record alone."""
    from patchae.errors import UsageError
    from patchae.files import write_text
    from patchae.lineage.naming import lineage_of
    from patchae.lineage.record import digest
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import threshold_moved
    from patchae.registry.tracking import Tracking
    from patchae.report.card import card_html, card_markdown

    if out is not None and out.suffix not in {".md", ".html"}:
        raise UsageError(
            f"a card is Markdown or HTML, and the file is '{out.name}'",
            mend="name a file that ends with .md or .html",
        )
    project = here()
    name, version, record = lineage_of(project, Tracking.open(project), model)
    make = card_html if out is not None and out.suffix == ".html" else card_markdown
    text = make(record)
    if out is None:
        print(text)
    else:
        write_text(out, text)
        print(f"{name}/{version}: {out}")
    if row := threshold_moved(Ledger.of(project).entries(name), version):
        print(f"{name}/{version}: its threshold was moved since, to {row.body['to']:.6g}")
    if json:
        as_json(
            {
                "model": name,
                "version": version,
                "file": str(out) if out else None,
                "lineage_sha256": digest(record),
            }
        )
