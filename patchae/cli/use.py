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
    images: Annotated[
        list[str], typer.Argument(help="Image files; with --out a folder or s3://bucket/prefix.")
    ],
    maps: Annotated[Path | None, typer.Option(help="Write heat maps into this folder.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Score a whole folder or prefix, and write the results here."),
    ] = None,
    json: Json = False,
) -> None:
    """Score images: anomaly score, decision and, if wanted, a heat map."""
    from patchae.errors import UsageError

    if maps and maps.is_file():
        raise UsageError("this is a file", where=str(maps), mend="name a folder for --maps")
    if out is not None:
        if maps:
            raise UsageError(
                "--out and --maps do not go together",
                mend="leave out --maps: worst.html in --out shows the maps that matter",
            )
        _score_source(model, images, out, json=json)
        return
    from patchae.console import say
    from patchae.files import write_bytes
    from patchae.images.learned import Learned, opened

    files = [Path(one) for one in images]
    for file in files:
        if file.is_dir() or str(file).startswith("s3:"):
            raise UsageError(
                "a folder is scored into another one", where=str(file), mend="add --out FOLDER"
            )
        with opened(file) as image:  # before a model is loaded
            Learned().check(image, 0)
    if maps:
        maps.mkdir(parents=True, exist_ok=True)
    name, version, detector = _loaded(model)
    from patchae.report.heatmaps import heat_map

    doubts = [detector.check(file) for file in files]
    for path, why in zip(files, doubts, strict=True):
        for doubt in why:
            say(f"{path}: {doubt}")
    scored = detector.score(files)
    rows, told = [], []
    for number, (path, one, why) in enumerate(zip(files, scored, doubts, strict=True)):
        stem = path.stem.encode()[:200].decode(errors="ignore")  # a name has 255 bytes at most
        target = maps / f"{number:03d}-{stem}.png" if maps else None
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
                "warnings": list(why),
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


def _score_source(model: str, sources: list[str], out: Path, *, json: bool) -> None:
    """Score one folder or prefix; exit code 1 where an image could not be read."""
    from patchae.console import progress_of, watch
    from patchae.errors import UsageError
    from patchae.steps.batch import score_batch

    if len(sources) != 1:
        raise UsageError(
            "with --out there is one source", mend="name one folder, or one s3://bucket/prefix"
        )
    with watch():
        found = score_batch(here(), model, sources[0], out, progress_of("score"))
    table(
        ("image", "score", "decision"),
        [(one.name, decimal(one.score), "anomalous" if one.anomalous else "good")
         for one in found.worst[:10]],
        title=f"{found.model}/{found.version}: highest scores",
    )  # fmt: skip
    print(
        f"{found.images:,} images: {found.alarms:,} alarms, {len(found.unreadable):,} cannot be"
        f" read; {out / 'scores.parquet'}, {out / 'worst.html'}"
    )
    if json:
        as_json(
            {
                "model": found.model,
                "version": found.version,
                "threshold": found.threshold,
                "source": sources[0],
                "out": str(out),
                "counts": {
                    "images": found.images,
                    "alarms": found.alarms,
                    "unreadable": len(found.unreadable),
                    "doubtful": len(found.doubtful),
                },
                "not_scored": list(found.not_scored),
                "no_images": list(found.no_images),
            }
        )
    if found.doubtful:
        name, why = found.doubtful[0]
        print(f"{len(found.doubtful):,} scores are doubtful, {name} among them: {why}")
    for line in (*found.no_images, *found.not_scored):
        print(line)
    found.raise_if_unreadable()


def export(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    file: Annotated[Path, typer.Argument(help="File to write: NAME.onnx or NAME.pt2.")],
    json: Json = False,
) -> None:
    """Write a version as one graph for another runtime: ONNX or torch.export."""
    from patchae.export import export as write
    from patchae.export import writer_for

    writer_for(file)  # a wrong name is told before a model is fetched
    # On the CPU, so that the graph is the same on every machine: a GPU's has 16 bits in it.
    name, version, detector = _loaded(model, device="cpu")
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


def _loaded(model: str, device: str | None = None) -> tuple[str, str, PatchAE]:
    """Registered name and version that an argument means, and the model in memory."""
    from patchae.lineage.naming import refuse_early, resolve
    from patchae.registry.ledger import Ledger

    project = here()
    refuse_early(project, model)
    from patchae.registry.loading import load_in_use
    from patchae.registry.tracking import Tracking

    tracking = Tracking.open(project)
    name, version, _ = resolve(project, tracking, model)
    known = tracking.version(name, version)
    return name, version, load_in_use(tracking, Ledger.of(project), known, device)
