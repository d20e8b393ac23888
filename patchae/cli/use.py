"""Commands that use a registered model: score, export."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Json, as_json, decimal, here, table

if TYPE_CHECKING:
    from patchae.model.detector import PatchAE


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (score, export):
        app.command()(command)


def score(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    maps: Annotated[Path | None, typer.Option(help="Write heat maps into this folder.")] = None,
    json: Json = False,
) -> None:
    """Score images: anomaly score, decision and, if wanted, a heat map."""
    from patchae.files import write_bytes
    from patchae.report.heatmaps import heat_map

    name, version, detector = _loaded(model)
    scored = detector.score(images)
    rows, told = [], []
    for number, (path, one) in enumerate(zip(images, scored, strict=True)):
        target = maps / f"{number:03d}-{path.stem}.png" if maps else None
        if target:
            write_bytes(target, heat_map(path, one.map, detector.threshold, detector.white))
        decision = "anomalous" if one.anomalous else "good"
        rows.append((str(path), decimal(one.score), decimal(detector.threshold), decision))
        told.append(
            {
                "path": str(path),
                "score": one.score,
                "decision": decision,
                "map": str(target) if target else None,
            }
        )
    table(("image", "score", "threshold", "decision"), rows, title=f"{name}/{version}")
    if json:
        as_json(
            {
                "model": name,
                "version": version,
                "threshold": detector.threshold,
                "scored": datetime.now(UTC).isoformat(),
                "images": told,
            }
        )


def export(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    file: Annotated[Path, typer.Argument(help="File to write: NAME.onnx or NAME.pt2.")],
    json: Json = False,
) -> None:
    """Write a version as one graph for another runtime: ONNX or torch.export."""
    from patchae.export import export as write
    from patchae.export import writer_for

    writer_for(file)  # a wrong name is told before a model is fetched
    name, version, detector = _loaded(model)
    told = write(detector, file)
    size = file.stat().st_size
    print(
        f"{name}/{version}: {file}, {size / 1e6:.1f} MB; images {told['image_size']} x"
        f" {told['image_size']}, scores above {decimal(told['threshold'])} are alarms"
    )
    if json:
        as_json(
            {
                "model": name,
                "version": version,
                "file": str(file),
                "bytes": size,
                "image_size": told["image_size"],
                "threshold": told["threshold"],
            }
        )


def _loaded(model: str) -> tuple[str, str, PatchAE]:
    """Registered name and version that an argument means, and the model in memory."""
    from patchae.lineage.naming import resolve
    from patchae.registry.loading import load_version
    from patchae.registry.tracking import Tracking

    project = here()
    tracking = Tracking.open(project)
    name, version, _ = resolve(project, tracking, model)
    return name, version, load_version(tracking, tracking.version(name, version))
