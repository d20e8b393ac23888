"""Commands that show deployed models: status, history."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from patchae.cli.moments import local, moment
from patchae.cli.output import Json, as_json, decimal, here, table

if TYPE_CHECKING:
    from patchae.project import Project
    from patchae.registry.aliases import Aliases
    from patchae.registry.chain import Entry, Kind
    from patchae.registry.tracking import Tracking


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (status, history):
        app.command()(command)


def status(
    line: Annotated[str | None, typer.Argument(help="Only this line.")] = None, json: Json = False
) -> None:
    """Show champions, their age and evidence, and the last verdicts."""
    from patchae.dataset.classes import check_names
    from patchae.errors import AuditBroken, UsageError
    from patchae.lines_file import load_lines
    from patchae.registry.agreement import MEND, ask, has_store
    from patchae.registry.ledger import Ledger

    project = here(reading=True)
    lines = load_lines(project.lines_file)
    wanted = [lines.line(line)] if line else list(lines.lines)
    ledger = Ledger.of(project)
    known = ledger.models()
    found = [
        (one.name, model) for one in wanted for model in known if model.startswith(f"{one.name}.")
    ]
    tracking = _tracking(project) if found and has_store(project) else None
    aliases = tracking.aliases if tracking else None
    models = [_standing(line, model, ledger.entries(model), aliases) for line, model in found]
    differences, unknown = ask(project)
    rows = [
        (
            told["model"],
            told["champion"] or "none",
            local(told["since"]) if told["since"] else "-",
            decimal(told["image_auroc"]),
            f"{told['last_verdict']} (version {told['judged']})",
            told["because"],
            told["aliases"],
        )
        for told in models
    ]
    if rows:
        columns = ("model", "champion", "since", "image AUROC", "last verdict", "reason")
        table((*columns, "aliases"), rows)
        for told in models:
            if told["mend"]:
                print(told["mend"])
            if told["threshold_moved"]:
                print(
                    f"{told['model']}/{told['champion']}: its threshold was moved to"
                    f" {told['threshold']:.6g}; `patchae history {told['model']}` says by whom"
                )
    elif not differences:
        print("nothing was judged yet; `patchae retrain LINE` trains a line")
    for sentence in (unknown,) if unknown else (one.sentence for one in differences):
        print(sentence)
    for one in wanted:
        try:
            check_names(project, one)
            if tracking:
                tracking.known_experiment(one.name)
        except UsageError as error:  # what is deployed is shown all the same
            print(error)
    if json:
        as_json({"models": models, "faults": [one.sentence for one in differences]})
    if differences and differences[0].broken:
        raise AuditBroken(
            f"the stores do not agree: {differences[0].sentence}", where=ledger.where, mend=MEND
        )


def _tracking(project: Project) -> Tracking | None:
    """MLflow; None where it does not answer."""
    from patchae.errors import StoreUnreachable
    from patchae.registry.tracking import Tracking

    try:
        return Tracking.open(project)
    except StoreUnreachable as error:
        print(f"{error.what}; whether the aliases are right is not known")
        return None


def _standing(
    line: str, model: str, entries: list[Entry], aliases: Aliases | None
) -> dict[str, Any]:
    from patchae.registry.aliases import look
    from patchae.registry.standing import (
        champion_of,
        last_verdict,
        moves,
        threshold_moved,
    )
    from patchae.registry.wording import explain_row

    champion = champion_of(entries)
    own = last_verdict(entries, champion.current) if champion.current else None
    last = last_verdict(entries)
    moved = moves(entries)
    shift = threshold_moved(entries, champion.current) if champion.current else None
    beside = look(entries, aliases, model) if aliases else None
    return {
        "line": line,
        "model": model,
        "champion": champion.current,
        "previous": champion.previous,
        "since": moved[-1].time if moved else None,
        "image_auroc": _auroc(own.body["evidence"]) if own else None,
        "threshold": shift.body["to"] if shift else own and _trained(own.body["evidence"]),
        "threshold_moved": shift is not None,
        "judged": last.body["version"] if last else None,
        "last_verdict": last.body["outcome"] if last else None,
        "reasons": last.body["reasons"] if last else [],
        "because": explain_row(last.body) if last else "",
        "aliases": beside.state if beside else "unknown",
        "mend": str(beside.error(model)) if beside and beside.state in ("moved", "lost") else None,
    }


def _auroc(evidence: dict[str, Any]) -> float | None:
    measured = evidence["image_auroc"]
    return measured["auroc"] if measured else None


def _trained(evidence: dict[str, Any]) -> float | None:
    """The threshold that training set, by the evidence of a verdict; None: it does not say."""
    rows = evidence.get("operating", ())
    return next((row["threshold"] for row in rows if row["source"] == "trained"), None)


def history(
    name: Annotated[
        str, typer.Argument(metavar="LINE|MODEL", help="A line, or a model, <line>.<class>.")
    ],
    at: Annotated[
        str | None,
        typer.Option(help="What was champion at this time (ISO 8601; local zone if it has none)."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only moves at this time and later, written as for --at.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what was champion when, moved by whom and why."""
    from patchae.errors import UsageError
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import champion_of, moves, threshold_moved, until

    if at is not None and since is not None:
        raise UsageError("--at and --since exclude each other", mend="give one of them")
    ledger = Ledger.of(here(reading=True))
    models = [one for one in ledger.models() if one == name or one.startswith(f"{name}.")]
    if not models:
        raise UsageError(
            f"the ledger knows no model '{name}' and no line of this name",
            mend="`patchae status` lists the models",
        )
    # Verdicts are most of the ledger, and say nothing of what was champion.
    kinds: tuple[Kind, ...] = ("move", "threshold", "retired")
    entries = [row for row in ledger.entries(kinds=kinds) if row.model in models]
    if at is not None:
        then = moment(at)
        before = until(entries, then)
        live = []
        for model in models:
            own = [row for row in before if row.model == model]
            champion = champion_of(own).current
            shift = threshold_moved(own, champion) if champion else None
            value = shift.body["to"] if shift else None
            live.append({"model": model, "champion": champion, "threshold": value})
            print(f"{model} at {local(then.isoformat())}: ", end="")
            print(f"version {champion}" if champion else "no champion", end="")
            print("" if value is None else f", its threshold moved to {value:.6g}")
        if json:
            as_json({"name": name, "at": then.isoformat(), "champions": live})
        return
    start = moment(since) if since is not None else None
    made = [
        {
            "seq": move.seq,
            "time": move.time,
            "model": move.model,
            "from": move.body["from"],
            "to": move.body["to"],
            "why": move.body["why"],
            "reason": move.body["reason"],
            "actor": move.actor,
            "host": move.host,
            "flow_run": move.flow_run or None,
            "verdict": move.body["verdict"],
        }
        for move in moves(entries)
        if start is None or datetime.fromisoformat(move.time) >= start
    ]
    thresholds = [
        {
            "seq": row.seq,
            "time": row.time,
            "model": row.model,
            **{key: row.body[key] for key in ("version", "from", "to", "why", "rate", "reason")},
            "actor": row.actor,
            "host": row.host,
        }
        for row in entries
        if row.kind == "threshold" and (start is None or datetime.fromisoformat(row.time) >= start)
    ]
    shown = [(m, m["from"] or "none", m["to"], m["why"]) for m in made]
    shown += [
        (t, f"{t['from']:.6g}", f"{t['to']:.6g}", f"threshold of {t['version']}")
        for t in thresholds
    ]
    rows = [
        (
            *(local(row["time"]), row["model"], *what),
            *(f"{row['actor']} on {row['host']}", row["reason"]),
        )
        for row, *what in sorted(shown, key=lambda item: item[0]["seq"])
    ]
    if rows:
        table(("time", "model", "from", "to", "why", "by", "reason"), rows)
    else:
        print(f"{name}: no move" + (f" since {local(start.isoformat())}" if start else " yet"))
    if json:
        as_json(
            {
                "name": name,
                "since": start.isoformat() if start else None,
                "moves": made,
                "thresholds": thresholds,
            }
        )
