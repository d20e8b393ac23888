"""Commands that do the main job: demo and retrain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Classes, Json, LineName, as_json, decimal, here, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchae.steps.outcome import ClassOutcome


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(demo)
    app.command()(retrain)


def demo(json: Json = False) -> None:
    """Do the main job on the sample line, from rendering images to an audit."""
    from patchae.console import watch
    from patchae.demo import run_demo
    from patchae.steps.outcome import LineFailed

    project = here()
    try:
        with watch():
            result = run_demo(project)
    except LineFailed as error:
        show_outcomes(error.outcome.classes)
        raise
    show_outcomes(result.outcome.classes)
    for audit in result.audits:
        checked = len(audit.links) - len(audit.not_checkable)
        print(f"audit {audit.model}/{audit.version}: {audit.state}, {checked} links checked")
    print(f"took {result.seconds:.0f} s")
    print(f"report: {result.outcome.report}")
    if json:
        as_json(result.to_dict())
    if result.audit != "intact":
        raise typer.Exit(1)


def retrain(
    line: LineName,
    classes: Classes = None,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "on demand",
    json: Json = False,
) -> None:
    """Retrain a line here and now: version, validate, train, judge, promote, report.

    The same command after a crash continues where it stopped.
    """
    from patchae.console import watch
    from patchae.steps.plan import classes_of, open_line

    project = here()
    _, chosen = open_line(line, project.root)
    classes_of(project, chosen, classes)  # a wrong name is known before a server starts
    with watch():
        from flows.engine import reach_prefect
        from flows.retrain import retrain as flow
        from patchae.steps.outcome import LineFailed

        reach_prefect()
        try:
            outcome = flow(line, classes=classes, root=project.root, reason=reason)
            failure = None
        except LineFailed as error:
            outcome, failure = error.outcome, error
    show_outcomes(outcome.classes)
    if outcome.report:
        print(f"report: {outcome.report}")
    if json:
        as_json(outcome.to_dict())
    if failure:
        raise failure


def show_outcomes(outcomes: Sequence[ClassOutcome]) -> None:
    """One row per class; failures in full below the table."""
    rows = [
        (
            one.class_name,
            decimal(one.image_auroc),
            decimal(one.pixel_auroc),
            decimal(one.threshold),
            one.verdict or "failed",
            one.because if one.failed is None else "see below",
        )
        for one in outcomes
    ]
    table(("class", "image AUROC", "pixel AUROC", "threshold", "verdict", "reason"), rows)
    for one in outcomes:
        if one.failed is not None:
            print(f"{one.class_name} failed: {one.failed}")
