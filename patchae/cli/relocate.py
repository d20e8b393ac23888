"""The command for a project that was copied or moved: relocate."""

from __future__ import annotations

from typing import Annotated

import typer

from patchae.cli.output import Json, as_json, here

_SHOWN = 5


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(relocate)


def relocate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be rewritten; change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a copied or moved project work from the folder that it now lies in."""
    from patchae.registry.relocate import relocate as rewrite

    project = here(reading=True)
    done = rewrite(project, dry_run=dry_run)
    if done.former:
        what = "would be rewritten" if dry_run else "rewritten"
        former = ", ".join(map(str, done.former))
        print(f"{done.paths} paths in MLflow's store {what}: from {former} to {project.state}")
    else:
        print(f"nothing to do: every path of the state is in {project.state}")
    if done.copied:
        print(
            "the original is still there: this is a project of its own from now on, with the"
            f" lineage and the {done.rows} rows of the ledger up to here in common"
        )
    for file in done.settings:
        print(f"{file} still names the former folder; change it if it is not meant")
    for place in done.lost[:_SHOWN]:
        print(f"missing: {place}")
    if done.lost:
        print(f"{len(done.lost)} folders of runs and models are not in this state; copy them here")
    if json:
        as_json(
            {
                "former": [str(one) for one in done.former],
                "copied": done.copied,
                "paths": done.paths,
                "missing": list(done.lost),
                "settings": [str(one) for one in done.settings],
                "rows": done.rows,
                "dry_run": dry_run,
            }
        )
    if done.lost:
        raise typer.Exit(1)
