"""Commands that hand retraining to Prefect: deploy and serve."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import CONSOLE_LEVEL, Json, as_json, here

if TYPE_CHECKING:
    from flows.deploying import Change


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(deploy)
    app.command()(serve)


def deploy(
    root: Annotated[
        Path | None, typer.Option(help="The project's folder on the workers; default: as here.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take down removed lines without a question.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Give Prefect one deployment per line: schedule, work pool, parameters; repeatable."""
    from patchae.errors import UsageError
    from patchae.lines_file import load_lines

    project = here()
    lines = load_lines(project.lines_file)
    from flows.connection import api_url

    if api_url() is None:
        raise UsageError(
            "there is no Prefect server to deploy to",
            where="PREFECT_API_URL",
            mend="set it, in the environment, in .env or in Prefect's profile, to the server's API,"
            " for example http://127.0.0.1:4200/api",
        )
    from flows.deploying import carry_out, compare, connected
    from flows.deployments import project_tag, wanted

    asked = wanted(project, lines, root or project.root)
    with connected() as client:
        changes = compare(client, project, asked)
        for change in changes:
            word = {"create": "new", "change": "changed", "remove": "removed", "keep": "unchanged"}
            what = f": {', '.join(change.differs)}" if change.differs else ""
            print(f"{_title(change)}  {word[change.step]}{what}")
        removed = [_title(change) for change in changes if change.step == "remove"]
        kept = bool(removed) and not dry_run and not (prune or _agreed(removed))
        if kept:
            print("kept: --prune takes down lines that are no longer in lines.yaml")
        due = [one for one in changes if not (kept and one.step == "remove")]
        if not dry_run:
            carry_out(client, asked, due)
    if json:
        as_json(
            {
                "project": project_tag(project),
                "dry_run": dry_run,
                "deployments": [
                    {
                        "kind": one.kind,
                        "name": one.name,
                        "step": one.step,
                        "differs": list(one.differs),
                    }
                    for one in due
                ],
            }
        )


def serve(
    port: Annotated[int, typer.Option(help="Of Prefect's pages, if it is free.")] = 4200,
) -> None:
    """Retrain every line when it is due, on this machine, until stopped; one command, no worker.

    Where Prefect's settings name no server it starts one, whose pages show what runs.
    """
    from patchae.console import watch
    from patchae.lines_file import load_lines

    quiet = CONSOLE_LEVEL in os.environ
    project = here()
    lines = load_lines(project.lines_file)
    with watch():
        from flows.server import free_port
        from flows.serving import engine
        from flows.serving import serve as serve_lines

        with engine(project, free_port(port)) as url:
            print(f"Prefect: {url.removesuffix('/api')}", flush=True)
            serve_lines(project, lines, loud=None if quiet else CONSOLE_LEVEL)


def _title(change: Change) -> str:
    return f"{change.kind}/{change.name}"


def _agreed(names: list[str]) -> bool:
    """Whether a person at a terminal says yes."""
    if not sys.stdin.isatty():
        return False
    return typer.confirm(f"take down {', '.join(names)}?")
