"""Commands that prove and show: audit and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchae.cli.output import Json, LineName, as_json, here


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(audit)
    app.command()(report)


def audit(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.zip", help="Write the audit bundle.")
    ] = None,
    with_model: Annotated[
        bool, typer.Option("--with-model", help="Put the model's files into the bundle.")
    ] = False,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Put the images into the bundle, from DVC.")
    ] = False,
    json: Json = False,
) -> None:
    """Verify everything behind a model, link by link; exit code 1 when one is broken."""
    from patchae.console import progress_of, watch
    from patchae.errors import AuditBroken
    from patchae.lineage.gather import audit_model
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import champion_of
    from patchae.registry.tracking import Tracking
    from patchae.report.bundle import bundle_of, require_bundle

    require_bundle(out, with_model, with_images)
    project = here()
    tracking = Tracking.open(project)
    found = audit_model(project, tracking, model)
    print(f"{found.model}/{found.version}")
    for position, link in enumerate(found.links, 1):
        branch = "└─" if position == len(found.links) else "├─"
        state = {"intact": "intact", "broken": "BROKEN", "not_checkable": "not checkable"}[
            link.state
        ]
        print(f"{branch} {state:<13}  {link.title}: {link.detail}")
    unknown = f", {len(found.not_checkable)} not checkable" if found.not_checkable else ""
    print(f"{found.state}: {len(found.links)} links{unknown}")
    if out is not None:
        with watch():
            sha256 = bundle_of(
                project,
                tracking,
                found,
                out,
                with_model=with_model,
                with_images=with_images,
                progress=progress_of(found.model),
            )
        print(f"bundle: {out} (sha256 {sha256})")
    if json:
        as_json(found.to_dict())
    if found.broken:
        current = champion_of(Ledger.of(project).entries(found.model)).current
        way_back = (
            f", `patchae rollback {found.model} --reason TEXT` returns to the champion before"
            if current == found.version
            else ""
        )
        names = "; ".join(f"{link.code}: {link.detail}" for link in found.broken)
        raise AuditBroken(
            f"the lineage of {found.model}/{found.version} is broken at {names}",
            mend="do not trust this version; docs/audit.md says what to do about each link"
            + way_back,
        )


def report(line: LineName, json: Json = False) -> None:
    """Write the report of a line: one page that works from a file."""
    from patchae.registry.tracking import Tracking
    from patchae.report.site import write_report
    from patchae.steps.plan import open_line

    project = here()
    _, chosen = open_line(line, project.root)
    path = write_report(project, Tracking.open(project), chosen)
    print(f"report: {path}")
    if json:
        as_json({"line": line, "report": str(path)})
