"""The command on the threshold of a version: threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from patchae.cli.moments import local
from patchae.cli.output import Json, as_json, decimal, here, table

if TYPE_CHECKING:
    from patchae.registry.evidence import Alarms
    from patchae.registry.operating import Operating
    from patchae.steps.threshold import Thresholds

_SET_BY = {
    "trained": "training",
    "calibration": "calibration",
    "test_images": "the test images themselves: optimistic",
    "moved": "a person",
}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(threshold)


def threshold(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    *,
    value: Annotated[
        float | None, typer.Option("--set", help="Move it to this value: scores above are alarms.")
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(help="Move it to what calibration promises this share of false alarms for."),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Return to the threshold that training set.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")] = "",
    json: Json = False,
) -> None:
    """Show what the test images say at other thresholds, or move the threshold of a version."""
    moving = _moving(value, false_alarms, reset=reset, reason=reason)
    from patchae.lineage.naming import known_in_ledger
    from patchae.registry.ledger import Ledger
    from patchae.registry.threshold import check_version

    project = here(reading=not moving)
    ledger = Ledger.of(project)
    name, version = known_in_ledger(project, model)
    if moving:
        check_version(ledger.entries(name), name, version, reason)
    from patchae.registry.threshold import promised_by
    from patchae.registry.tracking import Tracking
    from patchae.steps.threshold import look, move

    tracking = Tracking.open(project)
    seen = look(project, tracking, ledger, f"{name}/{version}")
    row = None
    if moving:
        to = seen.trained if value is None else value
        if false_alarms is not None:
            to = promised_by(seen.facts, false_alarms, f"{name}/{version}")
        row = move(
            project, tracking, ledger, seen, to=to, why=moving, rate=false_alarms, reason=reason
        )
        seen = look(project, tracking, ledger, f"{name}/{version}")
    _show(seen)
    if row:
        print(
            f"{name}/{version}: threshold {row.body['to']:.6g}, was {row.body['from']:.6g}; row"
            f" {row.seq} of the ledger"
        )
    if json:
        as_json(_as_json(seen))


def _moving(value: float | None, rate: float | None, *, reset: bool, reason: str) -> Any:
    """Why the threshold moves, by the options; None: it does not."""
    from patchae.errors import UsageError
    from patchae.registry.admission import check_reason
    from patchae.registry.threshold import check_rate, check_value

    chosen = [
        why
        for why, given in (
            ("set", value is not None),
            ("false_alarms", rate is not None),
            ("reset", reset),
        )
        if given
    ]
    if len(chosen) > 1:
        raise UsageError(
            "say which threshold is meant", mend="give one of --set, --false-alarms and --reset"
        )
    if not chosen:
        if reason:
            raise UsageError(
                "there is a reason and nothing to do",
                mend="give --set VALUE, --false-alarms RATE or --reset",
            )
        return None
    check_reason("moving a threshold", reason)
    if value is not None:
        check_value(value)
    if rate is not None:
        check_rate(rate)
    return chosen[0]


def _show(seen: Thresholds) -> None:
    rows = [
        (
            f"{point.threshold:.6g}" + (" *" if point.threshold == seen.current else ""),
            _SET_BY[point.source],
            "-" if point.promised is None else f"{100 * point.promised:.3g}",
            _per_100(seen.false_alarms(point)),
            _per_100(seen.missed(point)),
        )
        for point in seen.points
    ]
    columns = ("threshold", "set by", "promised", "false alarms", "missed")
    table(columns, rows, title=f"{seen.model}/{seen.version}: per 100 parts, with 95 % intervals")
    kinds = seen.n_defect
    if len(kinds) > 1:
        table(
            ("threshold", *(f"missed: {kind} ({count})" for kind, count in kinds.items())),
            [
                (
                    f"{point.threshold:.6g}",
                    *(_per_100(seen.missed(point, kind)) for kind in kinds),
                )
                for point in seen.points
            ],
        )
    print("* in force. Promised: by good images that were neither learned nor tested; all else was")
    print(f"counted on {seen.n_good} good and {sum(kinds.values())} defective test images.")
    if moved := seen.moved:
        print(
            f"moved by {moved.actor} at {local(moved.time)}: {moved.body['reason']}; training set"
            f" {decimal(seen.trained)}"
        )


def _per_100(alarms: Alarms) -> str:
    if not alarms.n:
        return "-"
    low, high = alarms.interval(0.95)
    return f"{100 * (alarms.share or 0):.3g} ({100 * low:.3g} to {100 * high:.3g})"


def _as_json(seen: Thresholds) -> dict[str, Any]:
    moved = seen.moved
    return {
        "model": seen.model,
        "version": seen.version,
        "threshold": seen.current,
        "trained": seen.trained,
        "moved": moved
        and {
            "seq": moved.seq,
            "time": moved.time,
            "actor": moved.actor,
            **{key: moved.body[key] for key in ("from", "to", "why", "rate", "reason")},
        },
        "table": [_point(seen, point) for point in seen.points],
    }


def _point(seen: Thresholds, point: Operating) -> dict[str, Any]:
    return {
        "threshold": point.threshold,
        "in_force": point.threshold == seen.current,
        "source": point.source,
        "promised": point.promised,
        "false_alarms": _share(seen.false_alarms(point)),
        "missed": _share(seen.missed(point)),
        "missed_by_kind": [
            {"defect": kind, **_share(seen.missed(point, kind))} for kind in seen.n_defect
        ],
    }


def _share(alarms: Alarms) -> dict[str, Any]:
    return {
        "count": alarms.found,
        "of": alarms.n,
        "share": alarms.share,
        "interval": list(alarms.interval(0.95)) if alarms.n else None,
    }
