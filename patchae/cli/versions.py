"""Commands on data versions: versions, pull, doctor."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Classes, Json, as_json, here, table

if TYPE_CHECKING:
    from patchae.dataset.history import Change, Version
    from patchae.health import Finding
    from patchae.project import Project
    from patchae.types import DataVersion


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (versions, pull, doctor):
        app.command()(command)


def versions(json: Json = False) -> None:
    """List the data versions: when, how many images, and what changed, newest first."""
    from patchae.dataset.history import versions as known
    from patchae.dataset.version import pinned_version

    project = here(reading=True)
    found, pinned = known(project), pinned_version(project)
    rows = [
        (
            one.version[:8] + (" *" if one.version == pinned else ""),
            one.made.astimezone().strftime("%Y-%m-%d %H:%M %Z"),
            (one.commit or "-")[:8],
            f"{one.files:,}",
            f"{one.bytes / 1e6:,.0f}",
            _images(one),
            _changes(one),
        )
        for one in found
    ]
    if rows:
        table(("version", "made", "commit", "files", "MB", "images", "changes"), rows)
        print("* pinned by data.dvc")
    else:
        print("no data version yet; patchae snapshot makes the first")
    if json:
        as_json({"pinned": pinned, "versions": [_as_json(one) for one in found]})


def pull(
    version: Annotated[
        str | None, typer.Argument(help="First characters of a version; default: the pinned one.")
    ] = None,
    classes: Classes = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite images that are in no version.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would become of data/; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove images without a question.")] = False,
    json: Json = False,
) -> None:
    """Bring a data version back into data/, all of it or some classes.

    What would be removed or overwritten is shown first; at a terminal it is asked for.
    """
    from patchae.console import progress_of, watch
    from patchae.dataset.readers import require_unread
    from patchae.dataset.restoring import pull as restore

    project = here()
    wanted = _wanted(project, version)
    if not dry_run:
        require_unread(project, classes)
    with watch():
        done = restore(
            project, wanted, classes, force=force, dry_run=True, progress=progress_of("data")
        )
    if done.lost:
        of = Counter("/".join(path.split("/")[:3]) for path in done.lost)
        folders = ", ".join(f"{folder} {count}" for folder, count in sorted(of.items()))
        print(
            f"{done.removed} files {'would be' if dry_run else 'are'} removed and"
            f" {len(done.lost) - done.removed} overwritten: {folders}"
        )
    if not dry_run:
        if done.lost and not yes and sys.stdin.isatty():
            typer.confirm("remove and overwrite them?", abort=True)
        with watch():
            done = restore(project, wanted, classes, force=force, progress=progress_of("data"))
    scope = ", ".join(done.classes) if done.classes else "data/"
    print(
        f"{scope} {'would be' if dry_run else 'is'} that of data version {done.version}:"
        f" {done.written} written, {done.removed} removed, {done.unchanged} unchanged;"
        f" {done.fetched} fetched"
    )
    if done.classes and not dry_run:
        print("data.dvc still pins the version that it did; patchae snapshot makes a new one")
    if json:
        as_json(
            {
                "data_version": done.version,
                "classes": list(done.classes) if done.classes else None,
                "fetched": done.fetched,
                "written": done.written,
                "removed": done.removed,
                "unchanged": done.unchanged,
                "lost": list(done.lost),
                "dry_run": dry_run,
            }
        )


def doctor(
    version: Annotated[
        str | None, typer.Argument(help="First characters of a version; default: the pinned one.")
    ] = None,
    data: Annotated[
        bool, typer.Option("--data", help="Read every stored image of the version, and mend.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --data: show what is not whole; mend nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Look whether everything is there and agrees: one line a check, each with its mend.

    With --data instead: read every stored object of a data version on both sides; mend what is not
    whole. Exit code 1 when something fails or cannot be mended.
    """
    from patchae.console import progress_of, watch
    from patchae.dataset.upkeep import examine
    from patchae.errors import UsageError

    project = here(reading=not data)
    if not data:
        if version or dry_run:
            what = "a version" if version else "--dry-run"
            raise UsageError(f"{what} is for --data", mend="patchae doctor --data VERSION")
        findings = _look(project)
        sound = all(found.state != "fail" for found in findings)
        if json:
            as_json({"sound": sound, "checks": [asdict(found) for found in findings]})
        if not sound:
            raise typer.Exit(1)
        return
    with watch():
        found = examine(project, _wanted(project, version), progress_of("data"), dry_run=dry_run)
    rows = [
        (flaw.path, flaw.md5, flaw.side, flaw.state, "mended" if flaw.mended else "NOT mended")
        for flaw in found.flaws
    ]
    if rows:
        table(("file", "object", "side", "found", "now"), rows)
    verdict = "all whole" if not rows else "all whole now" if found.sound else "NOT all whole"
    print(f"data version {found.version}: {found.objects} objects, {verdict}")
    if json:
        as_json(
            {
                "data_version": found.version,
                "objects": found.objects,
                "sound": found.sound,
                "flaws": [asdict(flaw) for flaw in found.flaws],
            }
        )
    if not found.sound:
        raise typer.Exit(1)


def _look(project: Project) -> list[Finding]:
    """Print the findings as they are made."""
    from flows.connection import server
    from patchae.health import examine

    findings = []
    for found in examine(project, server()):
        findings.append(found)
        mend = f"; to mend: {found.mend}" if found.mend else ""
        print(f"{found.state:<5} {found.check:<8} {found.detail}{mend}", flush=True)
    return findings


def _wanted(project: Project, version: str | None) -> DataVersion:
    """The version that an argument means, by default the pinned one."""
    from patchae.dataset.history import find
    from patchae.dataset.version import pinned_version
    from patchae.errors import DataError

    wanted = find(project, version) if version else pinned_version(project)
    if wanted is None:
        raise DataError(
            "data.dvc pins no version yet", where=str(project.data_dvc), mend="patchae snapshot"
        )
    return wanted


def _images(version: Version) -> str:
    if version.counts is None:
        return "not in the remote any more"
    told = []
    for name, kinds in version.counts.items():
        train = kinds.get("train/good", 0)
        good = kinds.get("test/good", 0)
        told.append(f"{name} {train} + {good} + {sum(kinds.values()) - train - good}")
    return ", ".join(told)


def _changes(version: Version) -> str:
    if version.changes is None:
        return "-"
    return ", ".join(f"{name} {_change(one)}" for name, one in version.changes.items()) or "none"


def _change(change: Change) -> str:
    parts = {"+": change.added, "-": change.removed, "~": change.changed, ">": change.moved}
    return " ".join(f"{sign}{count}" for sign, count in parts.items() if count)


def _as_json(version: Version) -> dict[str, object]:
    counts = version.counts or {}
    return {
        "data_version": version.version,
        "made": version.made.isoformat(),
        "commit": version.commit,
        "files": version.files,
        "bytes": version.bytes,
        "classes": [
            {"class": name, "kind": kind, "images": count}
            for name, kinds in counts.items()
            for kind, count in kinds.items()
        ],
        "changes": [
            {
                "class": name,
                "added": one.added,
                "removed": one.removed,
                "changed": one.changed,
                "moved": one.moved,
            }
            for name, one in (version.changes or {}).items()
        ],
    }
