"""The command that trains a version again: reproduce."""

from __future__ import annotations

from typing import Annotated

import typer

from patchae.cli.output import Json, as_json, decimal, here


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(reproduce)


def reproduce(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Train although the recorded source is not to be had.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a version again from its lineage record, and compare.

    Exit code 0 when the weights are identical or the image AUROC is equivalent, 1 when it is not.
    """
    from patchae.console import progress_of, watch
    from patchae.lineage.naming import known_in_ledger

    project = here()
    known_in_ledger(project, model)  # else it is refused before anything heavy is imported
    from patchae.lineage.reproduce.run import reproduce as again
    from patchae.registry.tracking import Tracking

    with watch():
        found = again(
            project, Tracking.open(project), model, anyway=anyway, progress=progress_of(model)
        )
    told = found.to_dict()
    commit = f" of commit {told['git_commit'][:12]}" if told["code"] == "worktree" else ""
    print(f"{found.model}/{found.version}: {found.outcome}, in {found.seconds:.0f} s")
    print(f"  weights recorded  {told['weights_sha256']}")
    print(f"  weights rebuilt   {told['rebuilt_sha256']}")
    if found.outcome != "identical":
        within = " to ".join(decimal(one) for one in told["image_auroc_interval"])
        print(
            f"  image AUROC       {decimal(told['rebuilt_image_auroc'])}; recorded"
            f" {decimal(told['image_auroc'])}{f', 95 % {within}' if within else ''}"
        )
    print(f"  code              {told['code']}{commit}")
    print(f"  what differs      {len(found.differences) or 'nothing'}")
    for one in found.differences:
        print(f"    {one}")
    if json:
        as_json(told)
    if found.outcome == "different":
        raise typer.Exit(1)
