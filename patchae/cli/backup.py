"""Commands that have a project in one file: backup and restore."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from patchae.cli.output import Json, as_json, here


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="File to write, a tar; one that is there goes.")],
    json: Json = False,
) -> None:
    """Write models, ledger, images, decisions and reports into one file, while they are used."""
    from patchae.backup.write import back_up
    from patchae.console import progress_of, watch

    project = here()
    with watch():
        done = back_up(project, file, progress_of("backup"))
    told = done.manifest
    print(
        f"{done.file}: {len(told.files)} files, {done.bytes / 1e6:.1f} MB;"
        f" {told.ledger_rows} rows of the ledger, data version {told.data_version or 'none'}"
    )
    for sentence in told.elsewhere:
        print(f"not in it: {sentence}")
    if json:
        as_json(
            {
                "file": str(done.file),
                "bytes": done.bytes,
                "files": len(told.files),
                "rows": told.ledger_rows,
                "data_version": told.data_version,
                "elsewhere": list(told.elsewhere),
            }
        )


def restore(
    file: Annotated[Path, typer.Argument(help="What `patchae backup` wrote.")],
    folder: Annotated[Path, typer.Argument(help="Where: a folder that is new or empty.")],
    json: Json = False,
) -> None:
    """Verify a backup, and make a project of it in a folder of its own; doctor looks at it."""
    from patchae.backup.restore import restore as bring_back
    from patchae.console import progress_of, watch
    from patchae.health import examine

    with watch():
        project, told = bring_back(file, folder, progress_of("restore"))
    print(
        f"{project.root}: {len(told.files)} files of {told.made}, {told.ledger_rows} rows of the"
        f" ledger, data version {told.data_version or 'none'}"
    )
    for sentence in told.elsewhere:
        print(f"was not in it: {sentence}")
    findings = list(examine(project, None))
    for found in findings:
        print(f"{found.state:<5} {found.check:<8} {found.detail}")
    sound = all(found.state != "fail" for found in findings)
    if json:
        as_json(
            {
                "folder": str(project.root),
                "made": told.made,
                "files": len(told.files),
                "rows": told.ledger_rows,
                "data_version": told.data_version,
                "elsewhere": list(told.elsewhere),
                "sound": sound,
                "checks": [asdict(found) for found in findings],
            }
        )
    if not sound:
        raise typer.Exit(1)
