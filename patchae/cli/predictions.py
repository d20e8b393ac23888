"""The command that tells what models in use decided: predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from patchae.cli.moments import moment
from patchae.cli.output import Json, as_json, decimal, here, table

if TYPE_CHECKING:
    import pandas as pd


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(predictions)


def predictions(
    model: Annotated[
        str | None, typer.Argument(help="MODEL or MODEL/VERSION; default: every one.")
    ] = None,
    *,
    since: Annotated[
        str | None, typer.Option(help="From this time on (ISO 8601; local zone if it has none).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    anomalous: Annotated[bool, typer.Option("--anomalous", help="Alarms alone.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every decision to this file.")
    ] = None,
    json: Json = False,
) -> None:
    """Count what models in use decided, by day and version; exit code 1 when nothing is logged."""
    from patchae.errors import NegativeFinding
    from patchae.predictions.reading import frame

    project = here(reading=True)
    name, _, version = (model or "").partition("/")
    rows = frame(
        project,
        model=name or None,
        version=version or None,
        since=moment(since) if since else None,
        until=moment(until) if until else None,
    )
    if anomalous:
        rows = rows[rows.anomalous]
    if csv:
        from patchae.files import file_in_one_step

        with file_in_one_step(csv) as draft:
            rows.to_csv(draft, index=False)
        print(f"every decision: {csv}")
    days = _by_day(rows)
    table(
        ("day", "model version", "decisions", "alarms", "alarm rate", "median ms", "p99 ms"),
        [
            (
                str(one["day"]),
                f"{one['model']}/{one['version']}",
                f"{one['decisions']:,}",
                f"{one['alarms']:,}",
                decimal(one["alarms"] / one["decisions"]),
                f"{one['median_ms']:.1f}",
                f"{one['p99_ms']:.1f}",
            )
            for one in days
        ],
    )
    if json:
        as_json(
            {
                "decisions": len(rows),
                "alarms": int(rows.anomalous.sum()),
                "days": [
                    {
                        "day": one["day"],
                        "model": one["model"],
                        "version": one["version"],
                        "decisions": one["decisions"],
                        "alarms": one["alarms"],
                        "median_ms": one["median_ms"],
                        "p99_ms": one["p99_ms"],
                    }
                    for one in days
                ],
            }
        )
    if rows.empty:
        raise NegativeFinding(
            "no decision is logged" + (f" of {model}" if model else ""),
            where=str(project.predictions),
            mend="`patchae serve-model` and `patchae score --out` log what they decide;"
            " `patchae score MODEL FILE` only looks, and logs nothing",
        )


def _by_day(rows: pd.DataFrame) -> list[dict[str, Any]]:
    found = []
    days = rows.assign(day=rows.time.dt.date)
    for (day, model, version), some in days.groupby(["day", "model", "version"]):
        found.append(
            {
                "day": str(day),
                "model": model,
                "version": version,
                "decisions": len(some),
                "alarms": int(some.anomalous.sum()),
                "median_ms": float(some.latency_ms.median()),
                "p99_ms": float(some.latency_ms.quantile(0.99)),
            }
        )
    return found
