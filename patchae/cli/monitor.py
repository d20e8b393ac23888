"""Commands about what cameras see now: monitor and feedback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Classes, Json, LineName, as_json, here, table

if TYPE_CHECKING:
    from patchae.steps.monitor import Seen


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (monitor, feedback):
        app.command()(command)


def monitor(
    line: LineName,
    classes: Classes = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Recent images of one class; default: those that serve-model kept."),
    ] = None,
    json: Json = False,
) -> None:
    """Look for drift at the champions of a line.

    Exit code 1: drift is confirmed, or images of a folder that you name were left out.
    """
    from patchae.console import progress_of, watch
    from patchae.errors import NegativeFinding, UsageError
    from patchae.registry.tracking import Tracking
    from patchae.steps.monitor import monitor as look_at
    from patchae.steps.plan import classes_of, open_line

    project = here()
    _, chosen = open_line(line, project.root)
    names = classes_of(project, chosen, classes)
    if images is not None and len(names) != 1:
        raise UsageError("images are of one class", mend="name it: --class CLASS")
    with watch():
        seen = list(
            look_at(
                project,
                Tracking.open(project),
                chosen,
                names,
                images,
                progress=progress_of(line),
            )
        )
        asked = _asked(line, seen)
    _show(seen)
    if json:
        as_json(
            {
                "line": line,
                "classes": [
                    {
                        "class": one.class_name,
                        "model": one.model,
                        "version": one.drift.version if one.drift else None,
                        "images": one.drift.images if one.drift else None,
                        "left_out": one.drift.left_out if one.drift else None,
                        "drifted": bool(one.drift and one.drift.drifted),
                        "confirmed": list(one.drift.confirmed) if one.drift else [],
                        "asked": one.class_name in asked,
                        "why_not": one.why_not,
                        "page": str(one.page) if one.page else None,
                        "readings": [
                            {
                                "name": reading.name,
                                "reference": reading.reference,
                                "recent": reading.recent,
                                "effect": reading.effect,
                                "p": reading.p,
                                "drifted": reading.drifted,
                            }
                            for reading in (one.drift.readings if one.drift else ())
                        ],
                    }
                    for one in seen
                ],
            }
        )
    drifted = [one for one in seen if one.drift and one.drift.confirmed]
    if drifted:
        raise NegativeFinding(
            f"drift of {', '.join(one.class_name for one in drifted)}",
            where=str(drifted[0].page),
            mend="look at the camera, or bring new images in and retrain: `patchae feedback`",
        )
    if images is not None and (left_out := sum(one.drift.left_out for one in seen if one.drift)):
        raise NegativeFinding(
            f"{left_out} images were left out",
            where=str(images),
            mend="remove or convert them; the lines above say why",
        )


def _asked(line: str, seen: list[Seen]) -> list[str]:
    """Tell Prefect of confirmed drift, where there is a server; the classes it retrains."""
    from flows.connection import api_url

    if api_url() is None:
        return []
    from flows.monitor import ask

    return [one.class_name for one in seen if ask(here(), line, one)]


def _show(seen: list[Seen]) -> None:
    for one in seen:
        if one.why_not is not None:
            print(f"{one.model}: not looked at: {one.why_not}")
        if one.drift is None:
            continue
        table(
            ("statistic", "calibrated on", "recent", "effect, sd", "by chance", "finding"),
            [
                (
                    reading.name,
                    f"{reading.reference:.4g}",
                    f"{reading.recent:.4g}",
                    f"{reading.effect:+.2f}",
                    f"{reading.p:.2g}",
                    "DRIFT"
                    if reading.name in one.drift.confirmed
                    else "seen once"
                    if reading.drifted
                    else "",
                )
                for reading in one.drift.readings
            ],
            title=f"{one.model}/{one.drift.version}: {one.drift.images} images"
            + (f" ({one.drift.left_out} left out)" if one.drift.left_out else "")
            + f", {one.drift.checked[:16].replace('T', ' ')} UTC",
        )
        print(f"page: {one.page}")


def feedback(
    model: Annotated[str, typer.Argument(help="MODEL whose class the images are of.")],
    images: Annotated[list[Path], typer.Argument(help="Image files whose label is confirmed.")],
    *,
    label: Annotated[str, typer.Option(help="good, or the name of the defect.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring images whose label a person confirmed into the data set, for training or for tests."""
    from patchae.console import progress_of, watch
    from patchae.dataset.labelling import bring_back
    from patchae.errors import UsageError
    from patchae.settings import settings
    from patchae.steps.plan import classes_of, open_line

    project = here()
    line, _, name = model.partition(".")
    if not name:
        raise UsageError(f"'{model}' is no model", mend="name it as LINE.CLASS")
    _, chosen = open_line(line, project.root)
    (class_name,) = classes_of(project, chosen, [name])
    with watch():
        done = bring_back(
            project,
            class_name,
            images,
            label,
            actor=settings().who(),
            rules=chosen.validation_of(class_name),
            dry_run=dry_run,
            progress=progress_of(class_name),
        )
    for path in done.new:
        print(f"{'would go' if dry_run else 'went'} to {path}")
    for path in done.known:
        print(f"known already: {path}")
    if json:
        as_json(
            {
                "class": class_name,
                "label": label,
                "new": list(done.new),
                "known": list(done.known),
                "dry_run": dry_run,
            }
        )
