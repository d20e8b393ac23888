"""Commands on images: sample, import, capture, snapshot, validate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchae.cli.output import Classes, Json, LineName, as_json, here, table

_SHOWN = 5


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(sample)
    app.command("import")(import_)
    app.command()(capture)
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
    source: Annotated[
        str,
        typer.Argument(
            help="A folder or archive in MVTec AD layout, s3://BUCKET/PREFIX, or a manifest of"
            " Lookout for Vision."
        ),
    ],
    *,
    classes: Classes = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="CLASS", help="What to call the only class.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="The test manifest that belongs to a training manifest.")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How file names in an archive read that are not UTF-8: cp932, gbk, cp850 ...",
        ),
    ] = None,
    without_masks: Annotated[
        bool, typer.Option("--without-masks", help="Leave masks out, whatever their folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring images into data/, whole classes or nothing; exit code 1 if one was left out."""
    from dataclasses import asdict

    from patchae.console import progress_of, watch
    from patchae.dataset.sources import import_source
    from patchae.images import summary

    project = here()
    with watch():
        done = import_source(
            project,
            source,
            classes=classes,
            name=name,
            test=test,
            encoding=encoding,
            masks=not without_masks,
            dry_run=dry_run,
            progress=progress_of("import"),
        )
    if done.classes:
        counts = f"{done.images} images, {done.masks} masks, {done.bytes / 1e6:.0f} MB"
        print(f"{'would import' if dry_run else 'imported'} {', '.join(done.classes)}: {counts}")
    if done.unchanged:
        print(f"already there, unchanged: {', '.join(done.unchanged)}")
    named = [item for item in done.left_out if item.kind != "litter"]
    for text in summary(named):
        print(text)
    if litter := len(done.left_out) - len(named):
        print(f"{litter} hidden files, or litter of an operating system, are passed over")
    for group in done.copies[:_SHOWN]:
        print(f"the same image: {', '.join(group)}")
    if len(done.copies) > _SHOWN:
        print(f"and {len(done.copies) - _SHOWN} more groups of equal images")
    if json:
        as_json(
            {
                "classes": list(done.classes),
                "unchanged": list(done.unchanged),
                "images": done.images,
                "masks": done.masks,
                "bytes": done.bytes,
                "ignored": len(done.left_out),
                "left_out": [asdict(item) for item in named],
                "copies": [list(group) for group in done.copies],
                "dry_run": dry_run,
            }
        )
    if not done.complete:
        raise typer.Exit(1)


def capture(
    line: LineName,
    class_name: Annotated[str, typer.Argument(metavar="CLASS", help="A class of the line.")],
    folder: Annotated[Path, typer.Argument(help="Folder of new good images; it is only read.")],
    *,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Then retrain the class, if the folder has images.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Bring in what was removed from the class, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring new good images into train/good; exit code 1 when an image cannot be read here."""
    from patchae.cli.run import retrain as retrain_line
    from patchae.console import progress_of, watch
    from patchae.dataset.capturing import capture as bring_in
    from patchae.images import summary
    from patchae.images.names import shown
    from patchae.steps.plan import classes_of, open_line

    project = here()
    _, chosen = open_line(line, project.root)
    (name,) = classes_of(project, chosen, [class_name])
    with watch():
        done = bring_in(
            project,
            name,
            folder,
            rules=chosen.validation_of(name),
            again=again,
            dry_run=dry_run,
            progress=progress_of(name),
        )
    tests = sum(path.startswith(f"{name}/test/") for path in done.new)
    share = f", {tests} of them into test/good, which had none" if tests else ""
    print(
        f"{len(done.new)} new images {'would go' if dry_run else 'went'} into {name}/train/good"
        f"{share};"
        f" {done.known} known, {done.copies} twice, {done.ignored} files that are no images"
    )
    if done.removed:
        print(f"{done.removed} removed before, and left out: --again brings them in")
    for text in summary(done.others):
        print(text)
    try:
        # Also what is known already may have come in before a retraining that did not end.
        if retrain and (done.new or done.known) and not dry_run:
            retrain_line(line, [name])
    finally:
        if json:
            as_json(
                {
                    "class": name,
                    "new": list(done.new),
                    "known": done.known,
                    "copies": done.copies,
                    "removed": done.removed,
                    "ignored": done.ignored,
                    "left_out": [
                        {"path": shown(it.path), "kind": it.kind, "type": it.type, "mend": it.mend}
                        for it in done.left_out
                    ],
                    "dry_run": dry_run,
                }
            )
    if done.left_out:
        raise typer.Exit(1)


def snapshot(
    commit: Annotated[
        bool, typer.Option("--commit", help="Commit data.dvc, and nothing else, to Git.")
    ] = False,
    json: Json = False,
) -> None:
    """Version data/: store what changed, push it to the remote, update data.dvc."""
    from patchae.console import progress_of, watch
    from patchae.dataset.version import snapshot as take

    project = here()  # before Prefect is imported, which reads its settings then
    from flows.connection import api_url
    from flows.events import announce, expect

    told: list[str] = []
    with watch():
        expect(project)
        taken = take(project, commit=commit, progress=progress_of("data"))
        if api_url():
            told = announce(project, taken)
    state = "new" if taken.changed else "unchanged"
    print(
        f"data version {taken.version} ({state}): {taken.images} files, {taken.bytes / 1e6:.0f} MB"
    )
    if taken.committed:
        print("committed data.dvc")
    for line in told:
        print(f"told Prefect: new images for line {line}")
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
    from patchae.dataset.readers import reading
    from patchae.dataset.validation.record import table as rows_of
    from patchae.dataset.version import snapshot as take
    from patchae.errors import DataError
    from patchae.report.images_page import write_images_page
    from patchae.steps.plan import classes_of, open_line
    from patchae.steps.prepare import check

    project = here()
    from flows.events import expect

    _, chosen = open_line(line, project.root)
    names = classes_of(project, chosen, classes)
    records, absent = [], {}
    with watch(), reading(project, names):
        expect(project)
        version = take(project, progress=progress_of("data")).version
        for name in names:
            try:
                checked = check(project, chosen, name, version, progress_of(name))
                records.append(checked.validation)
            except DataError as error:  # this class cannot be read at all; the others can
                absent[name] = str(error)
        page = write_images_page(project, line, version, records, absent)
    for record in records:
        word = "passed" if record.passed else "FAILED"
        if record.warnings:
            word += f", {len(record.warnings)} warning{'s' * (len(record.warnings) > 1)}"
        table(("check", "result", "found"), rows_of(record), title=f"{record.class_name}: {word}")
        print()
    for name, why in absent.items():
        print(f"{name}: FAILED\n{why}\n")
    failed = sorted([*absent, *(record.class_name for record in records if not record.passed)])
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
