"""The command that finds what an image went into: trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from patchae.cli.moments import local
from patchae.cli.output import Json, as_json, decimal, here, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from patchae.lineage.trace.answer import Affected, Answer, Stay, Traced
    from patchae.predictions.record import Prediction
    from patchae.project import Project

_SHOWN = 20
"""Decisions on one image that are shown; the last ones."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(trace)


def trace(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|SHA256|PATH", help="An image; several may be named."),
    ] = None,
    from_list: Annotated[
        Path | None,
        typer.Option("--from-list", help="CSV with one image a line: path or sha256."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every use of every image to this file.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget the index and read all versions anew.")
    ] = False,
    json: Json = False,
) -> None:
    """Find where images occurred, which models used them, and what is or was live of these.

    Exit code 1 when none of them ever occurred.
    """
    from patchae.console import progress_of, watch
    from patchae.errors import NegativeFinding, UsageError
    from patchae.lineage.trace.answer import trace as find
    from patchae.lineage.trace.asked import asked, read_list
    from patchae.registry.ledger import Ledger

    words = [*(images or ()), *(read_list(from_list) if from_list else ())]
    if not words and not rebuild:
        raise UsageError("no image is named", mend="give a file, a sha256, or --from-list FILE")
    project = here()
    wanted = asked(project, words)
    with watch():
        found = find(
            project, Ledger.of(project), wanted, rebuild=rebuild, progress=progress_of("trace")
        )
        decisions = _decisions(project, found)
    _show(found)
    _show_decisions(found, decisions)
    if csv:
        _write(csv, found)
    if json:
        as_json(
            {
                "images": [
                    _image_as_json(one, decisions.get(one.sha256 or "", [])) for one in found.images
                ],
                "models": [_affected_as_json(one) for one in found.affected],
                "data_versions": found.data_versions,
                "model_versions": found.model_versions,
                "unread": [{"what": what, "why": why} for what, why in found.unread],
            }
        )
    if words and not decisions and not any(one.found for one in found.images):
        raise NegativeFinding(
            "the image occurred in no version"
            if len(found.images) == 1
            else f"none of the {len(found.images)} images occurred in any version",
            where=_looked_through(found),
            mend="give the file itself: by its sha256 alone an image is known once a model used it",
        )


def _show(found: Answer) -> None:
    if len(found.images) == 1:
        _show_stays(found.images[0])
    elif found.images:
        there = [one for one in found.images if one.found]
        print(f"{len(there)} of {len(found.images)} images occurred")
        for one in found.images:
            if not one.found:
                print(f"never occurred: {one.asked}")
    if found.affected:
        _show_affected(found)
    elif found.images:
        print("no model version used " + ("it" if len(found.images) == 1 else "any of them"))
    for what, why in found.unread:
        print(f"not looked through: {what}: {why}")
    print(f"looked through {_looked_through(found)}")


def _looked_through(found: Answer) -> str:
    data, model = found.data_versions, found.model_versions
    return f"{data} data version{'s' * (data != 1)} and {model} model version{'s' * (model != 1)}"


def _decisions(project: Project, found: Answer) -> dict[str, list[Prediction]]:
    """What models in use said of the images, by sha256."""
    from patchae.predictions.reading import predictions

    told: dict[str, list[Prediction]] = {}
    for one in predictions(project, images=[one.sha256 for one in found.images if one.sha256]):
        told.setdefault(one.image, []).append(one)
    return told


def _show_decisions(found: Answer, decisions: Mapping[str, Sequence[Prediction]]) -> None:
    if len(found.images) > 1:
        judged = sum(len(every) for every in decisions.values())
        if judged:
            print(f"{len(decisions)} of them were judged in use, {judged} times in all")
        return
    for every in decisions.values():
        table(
            ("judged in use", "by", "score", "threshold", "decision", "asked by"),
            [
                (
                    local(one.time.isoformat()),
                    f"{one.model}/{one.version}",
                    decimal(one.score),
                    decimal(one.threshold),
                    "anomalous" if one.anomalous else "good",
                    one.origin,
                )
                for one in every[-_SHOWN:]
            ],
        )
        if len(every) > _SHOWN:
            print(f"and {len(every) - _SHOWN} times before")


def _show_stays(image: Traced) -> None:
    print(f"{image.asked}: sha256 {image.sha256 or '-'}, md5 {image.md5 or '-'}")
    rows = [(*stay.parts, stay.path, _begin(stay), _end(stay)) for stay in image.stays]
    if rows:
        table(("class", "split", "label", "path", "from version", "to version"), rows)
    else:
        print("it is in no data version that is known here")


def _begin(stay: Stay) -> str:
    return f"{stay.first[:8]} {local(stay.first_made)}"


def _end(stay: Stay) -> str:
    return "still there" if stay.current else f"{stay.last[:8]} {local(stay.last_made)}"


def _show_affected(found: Answer) -> None:
    one_image = len(found.images) == 1
    rows = [
        (
            f"{one.version.model}/{one.version.version}",
            (one.version.data or "")[:8],
            *([_uses(one)] if one_image else map(str, one.counts.values())),
            "yes" if one.live else "no",
            ", ".join(
                f"{local(period.since)} to {local(period.until) if period.until else 'now'}"
                for period in one.periods
            )
            or "never",
        )
        for one in found.affected
    ]
    used = ("used it for",) if one_image else tuple(found.affected[0].counts)
    table(("model version", "data", *used, "live now", "live"), rows)


def _uses(one: Affected) -> str:
    return ", ".join(use for use, count in one.counts.items() if count)


def _image_as_json(image: Traced, decisions: Sequence[Prediction]) -> dict[str, Any]:
    return {
        "asked": image.asked,
        "sha256": image.sha256,
        "md5": image.md5,
        "found": image.found,
        "stays": [
            {
                "path": stay.path,
                "class": stay.parts[0],
                "split": stay.parts[1],
                "label": stay.parts[2],
                "first": stay.first,
                "first_made": stay.first_made,
                "last": stay.last,
                "last_made": stay.last_made,
                "current": stay.current,
            }
            for stay in image.stays
        ],
        "uses": [
            {"model": one.model, "version": one.version, "use": one.use, "path": one.path}
            for one in image.uses
        ],
        "decisions": [
            {
                "time": one.time.isoformat(),
                "model": one.model,
                "version": one.version,
                "score": one.score,
                "threshold": one.threshold,
                "anomalous": one.anomalous,
                "origin": one.origin,
                "name": one.name,
            }
            for one in decisions
        ],
    }


def _affected_as_json(one: Affected) -> dict[str, Any]:
    return {
        "model": one.version.model,
        "version": one.version.version,
        "registered": one.version.registered,
        "data_version": one.version.data,
        **one.counts,
        "live": one.live,
        "periods": [{"since": period.since, "until": period.until} for period in one.periods],
    }


def _write(file: Path, found: Answer) -> None:
    """One row for each image and model version that used it; images without one have a row, too."""
    import csv
    from io import StringIO

    from patchae.files import write_text

    affected = {(one.version.model, one.version.version): one for one in found.affected}
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("image", "sha256", "md5", "path", "model", "version", "use", "live", "since", "until")
    )
    for image in found.images:
        own = (image.asked, image.sha256, image.md5)
        for use in image.uses:
            by = affected[use.model, use.version]
            last = by.periods[-1] if by.periods else None
            writer.writerow(
                (
                    *(*own, use.path, use.model, use.version, use.use, int(by.live)),
                    *((last.since, last.until) if last else ("", "")),
                )
            )
        if not image.uses:
            writer.writerow((*own, *[""] * 7))
    write_text(file, text.getvalue())
    print(f"every use: {file}")
