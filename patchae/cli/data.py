"""Commands on images: sample, import, snapshot, validate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchae.cli.output import Classes, Json, LineName, as_json, here, table


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(sample)
    app.command("import")(import_)
    app.command()(snapshot)
    app.command()(validate)


def sample(
    folder: Annotated[Path, typer.Argument(help="Where to render; one folder per class.")],
    json: Json = False,
) -> None:
    """Render the sample images: the same bytes on every machine."""
    from patchae.console import progress_of, watch
    from patchae.dataset.sample import CLASSES, render

    with watch():
        render(folder, progress=progress_of("sample"))
    print(f"{', '.join(CLASSES)} in {folder}")
    if json:
        as_json({"folder": str(folder), "classes": list(CLASSES)})


def import_(
    source: Annotated[Path, typer.Argument(help="A folder of classes in MVTec AD layout, or one.")],
    classes: Classes = None,
    json: Json = False,
) -> None:
    """Bring images into data/: all checks first, then whole classes or nothing."""
    from patchae.console import progress_of, watch
    from patchae.dataset.importing import import_folder

    project = here()
    with watch():
        done = import_folder(project, source, classes=classes, progress=progress_of("import"))
    if done.classes:
        counts = f"{done.images} images, {done.masks} masks, {done.bytes / 1e6:.0f} MB"
        print(f"imported {', '.join(done.classes)}: {counts}")
    if done.unchanged:
        print(f"already there, unchanged: {', '.join(done.unchanged)}")
    if done.ignored:
        print(f"left out {done.ignored} files that are no part of the layout")
    if json:
        as_json(
            {
                "classes": list(done.classes),
                "unchanged": list(done.unchanged),
                "images": done.images,
                "masks": done.masks,
                "bytes": done.bytes,
                "ignored": done.ignored,
            }
        )


def snapshot(
    commit: Annotated[
        bool, typer.Option("--commit", help="Commit data.dvc, and nothing else, to Git.")
    ] = False,
    json: Json = False,
) -> None:
    """Version data/: store what changed, push it to the remote, update data.dvc."""
    from patchae.console import progress_of, watch
    from patchae.dataset.version import snapshot as take

    project = here()
    with watch():
        taken = take(project, commit=commit, progress=progress_of("data"))
    state = "new" if taken.changed else "unchanged"
    print(
        f"data version {taken.version} ({state}): {taken.images} files, {taken.bytes / 1e6:.0f} MB"
    )
    if taken.committed:
        print("committed data.dvc")
    if json:
        as_json(
            {
                "data_version": taken.version,
                "changed": taken.changed,
                "files": taken.images,
                "bytes": taken.bytes,
                "committed": taken.committed,
            }
        )


def validate(
    line: LineName,
    classes: Classes = None,
    json: Json = False,
) -> None:
    """Version the images of a line and check them; exit code 1 when a class does not pass."""
    from patchae.console import progress_of, watch
    from patchae.dataset.validation.record import table as rows_of
    from patchae.dataset.version import snapshot as take
    from patchae.errors import DataError
    from patchae.report.images_page import write_images_page
    from patchae.steps.plan import classes_of, open_line
    from patchae.steps.prepare import check

    project = here()
    _, chosen = open_line(line, project.root)
    names = classes_of(project, chosen, classes)
    records, absent = [], {}
    with watch():
        version = take(project, progress=progress_of("data")).version
        for name in names:
            try:
                checked = check(project, chosen, name, version, progress_of(name))
                records.append(checked.validation)
            except DataError as error:  # this class cannot be read at all; the others can
                absent[name] = str(error)
    for record in records:
        word = "passed" if record.passed else "FAILED"
        if record.warnings:
            word += f", {len(record.warnings)} warning{'s' * (len(record.warnings) > 1)}"
        table(("check", "result", "found"), rows_of(record), title=f"{record.class_name}: {word}")
        print()
    for name, why in absent.items():
        print(f"{name}: FAILED\n{why}\n")
    failed = sorted([*absent, *(record.class_name for record in records if not record.passed)])
    page = write_images_page(project, line, version, records, absent)
    print(f"data version {version}")
    print(f"page: {page}")
    print(f"failed: {', '.join(failed)}" if failed else "all classes passed")
    if json:
        as_json(
            {
                "line": line,
                "data_version": version,
                "passed": not failed,
                "absent": sorted(absent),
                "page": str(page),
                "classes": [record.to_dict() for record in records],
            }
        )
    if failed:
        raise typer.Exit(1)
