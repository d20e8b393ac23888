"""Commands that prove and show: audit and report."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.moments import moment
from patchae.cli.output import Json, TrustedKeys, as_json, here

if TYPE_CHECKING:
    from patchae.lineage.audit import Audit
    from patchae.project import Project

_STATES = {"intact": "intact", "broken": "BROKEN", "not_checkable": "not checkable"}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(audit)
    app.command()(report)


def audit(
    model: Annotated[
        str | None, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Every champion of every line and of the ledger.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(help="What was in use at this time (ISO 8601; local zone if it has none)."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every stored image again, not a sample.")
    ] = False,
    key: TrustedKeys = None,
    anchor: Annotated[
        str | None, typer.Option(help="What `ledger anchor` printed earlier: is it still held?")
    ] = None,
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
    from patchae.errors import UsageError
    from patchae.lineage.gather import Scope, audit_all, audit_model
    from patchae.lineage.last_audit import remember
    from patchae.registry.export import Anchor
    from patchae.registry.signing import read_public
    from patchae.registry.tracking import Tracking
    from patchae.report.bundle import bundle_of, require_bundle

    if (model is None) != everything:
        raise UsageError(
            "name a model, or ask for all of them",
            mend="patchae audit MODEL, or patchae audit --all",
        )
    if everything and (out is not None or with_model or with_images):
        raise UsageError(
            "a bundle is of one model",
            mend="patchae audit MODEL --out FILE.zip for each; `patchae status` names them",
        )
    require_bundle(out, with_model, with_images)
    scope = Scope(
        at=moment(at) if at is not None else None,
        deep=deep,
        keys=tuple(read_public(one) for one in key) if key else None,
        anchor=Anchor.of(anchor) if anchor is not None else None,
        progress=progress_of("audit"),
    )
    project = here(reading=out is None)
    tracking = Tracking.open(project)
    found = []
    with watch() if deep else nullcontext():
        for one in (
            audit_all(project, tracking, scope)
            if model is None
            else [audit_model(project, tracking, model, scope)]
        ):
            _print_tree(one)
            found.append(one)
            if not (at or key or anchor):  # of the present, held against nothing from outside
                remember(project, one)
    if everything:
        _print_sum(found)
    if out is not None:
        with watch():
            sha256 = bundle_of(
                project,
                tracking,
                found[0],
                out,
                with_model=with_model,
                with_images=with_images,
                progress=progress_of(found[0].model),
            )
        print(f"bundle: {out} (sha256 {sha256})")
    if json:
        told = [one.to_dict() for one in found]
        as_json(told if everything else told[0])
    _raise_if_broken(project, found)


def _print_tree(found: Audit) -> None:
    print(f"{found.model}/{found.version}")
    for position, link in enumerate(found.links, 1):
        branch = "└─" if position == len(found.links) else "├─"
        print(f"{branch} {_STATES[link.state]:<13}  {link.title}: {link.detail}")
    unknown = f", {len(found.not_checkable)} not checkable" if found.not_checkable else ""
    print(f"{found.state}: {len(found.links)} links{unknown}")


def _print_sum(found: list[Audit]) -> None:
    broken = sum(bool(one.broken) for one in found)
    unknown = sum(len(one.not_checkable) for one in found)
    print(
        f"{len(found)} champions: {len(found) - broken} intact, {broken} broken"
        + (f", {unknown} links not checkable" if unknown else "")
    )


def _raise_if_broken(project: Project, found: list[Audit]) -> None:
    from patchae.errors import AuditBroken

    broken = [one for one in found if one.broken]
    if not broken:
        return
    mend = "do not trust this version; docs/audit.md says what to do about each link"
    if len(found) > 1:
        names = ", ".join(
            f"{one.model}/{one.version} ({', '.join(link.code for link in one.broken)})"
            for one in broken
        )
        raise AuditBroken(
            f"{len(broken)} of {len(found)} champions are broken: {names}",
            mend=mend.replace("this version", "these versions"),
        )
    (one,) = broken
    if _is_champion(project, one):
        mend += f", `patchae rollback {one.model} --reason TEXT` returns to the champion before"
    names = "; ".join(f"{link.code}: {link.detail}" for link in one.broken)
    raise AuditBroken(f"the lineage of {one.model}/{one.version} is broken at {names}", mend=mend)


def _is_champion(project: Project, found: Audit) -> bool:
    from patchae.errors import StoreUnreachable
    from patchae.lineage.ledger_view import view
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import champion_of

    try:
        entries = view(Ledger.of(project)).of(found.model)
    except StoreUnreachable:
        return False
    return champion_of(entries).current == found.version


def report(
    line: Annotated[
        str | None,
        typer.Argument(metavar="LINE", help="Audit this line and renew its pages; default: all."),
    ] = None,
    *,
    audit_first: Annotated[
        bool, typer.Option("--audit", help="Audit every champion first, for the pages of all.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the site: what needs attention on every line, and the pages that it leads to."""
    from patchae.errors import UsageError
    from patchae.lineage.gather import audit_all
    from patchae.lineage.last_audit import remember
    from patchae.registry.tracking import Tracking
    from patchae.report.site import start_path, write_report, write_site
    from patchae.steps.plan import open_line

    if line is not None and audit_first:
        raise UsageError(
            "the report of one line always audits it",
            mend=f"patchae report {line}, or patchae report --audit for all",
        )
    project = here()
    if line is None:
        tracking = Tracking.open(project)
        for found in audit_all(project, tracking) if audit_first else ():
            remember(project, found)
        plant, path = write_site(project, tracking), start_path(project)
        print(f"{len(plant.urgent)} of {len(plant.models)} classes need attention")
        urgent = [model.model for model in plant.urgent]
    else:
        _, chosen = open_line(line, project.root)
        path = write_report(project, Tracking.open(project), chosen)
        urgent = []
    print(f"report: {path}")
    if json:
        as_json({"line": line, "report": str(path), "attention": urgent})
