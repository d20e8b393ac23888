"""Commands on deployed models: status, history, rollback."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from patchae.cli.output import Json, as_json, decimal, here, table

if TYPE_CHECKING:
    from patchae.registry.chain import Entry


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (status, history, rollback):
        app.command()(command)


def status(
    line: Annotated[str | None, typer.Argument(help="Only this line.")] = None, json: Json = False
) -> None:
    """Show champions, their age and evidence, and the last verdicts."""
    from patchae.lines_file import load_lines
    from patchae.registry.ledger import Ledger

    project = here()
    lines = load_lines(project.lines_file)
    wanted = [lines.line(line)] if line else list(lines.lines)
    ledger = Ledger.of(project)
    models = [
        _standing(one.name, model, ledger.entries(model))
        for one in wanted
        for model in _models_of(one.name, ledger)
    ]
    rows = [
        (
            told["model"],
            told["champion"] or "none",
            _local(told["since"]) if told["since"] else "-",
            decimal(told["image_auroc"]),
            f"{told['last_verdict']} (version {told['judged']})",
            told["because"],
        )
        for told in models
    ]
    if rows:
        columns = ("model", "champion", "since", "image AUROC", "last verdict", "reason")
        table(columns, rows)
    else:
        print("nothing was judged yet; `patchae retrain LINE` trains a line")
    if json:
        as_json({"models": models})


def _models_of(line: str, ledger: Any) -> list[str]:
    return sorted({e.model for e in ledger.entries() if e.model.startswith(f"{line}.")})


def _standing(line: str, model: str, entries: list[Entry]) -> dict[str, Any]:
    from patchae.registry.standing import champion_of, last_verdict, moves
    from patchae.registry.verdict import Verdict
    from patchae.registry.wording import explain

    champion = champion_of(entries)
    own = last_verdict(entries, champion.current) if champion.current else None
    last = last_verdict(entries)
    moved = moves(entries)
    return {
        "line": line,
        "model": model,
        "champion": champion.current,
        "previous": champion.previous,
        "since": moved[-1].time if moved else None,
        "image_auroc": _auroc(own.body["evidence"]) if own else None,
        "judged": last.body["version"] if last else None,
        "last_verdict": last.body["outcome"] if last else None,
        "reasons": last.body["reasons"] if last else [],
        "because": explain(Verdict.from_body(last.body)) if last else "",
    }


def _auroc(evidence: dict[str, Any]) -> float | None:
    measured = evidence["image_auroc"]
    return measured["auroc"] if measured else None


def history(
    model: Annotated[str, typer.Argument(help="A registered model, <line>.<class>.")],
    at: Annotated[
        str | None,
        typer.Option(help="What was champion at this time (ISO 8601; local zone if it has none)."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what was champion when, moved by whom and why."""
    from patchae.errors import UsageError
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import champion_of, moves

    project = here()
    entries = Ledger.of(project).entries(model)
    if not entries:
        raise UsageError(
            f"the ledger knows no model '{model}'", mend="`patchae status` lists the models"
        )
    if at is not None:
        moment = _moment(at)
        before = [entry for entry in entries if datetime.fromisoformat(entry.time) <= moment]
        champion = champion_of(before).current
        print(f"{model} at {_local(moment.isoformat())}: ", end="")
        print(f"version {champion}" if champion else "no champion")
        if json:
            as_json({"model": model, "at": moment.isoformat(), "champion": champion})
        return
    made = [
        {
            "seq": move.seq,
            "time": move.time,
            "from": move.body["from"],
            "to": move.body["to"],
            "why": move.body["why"],
            "reason": move.body["reason"],
            "actor": move.actor,
            "verdict": move.body["verdict"],
        }
        for move in moves(entries)
    ]
    rows = [
        (_local(m["time"]), m["from"] or "none", m["to"], m["why"], m["actor"], m["reason"])
        for m in made
    ]
    if rows:
        table(("time", "from", "to", "why", "by", "reason"), rows)
    else:
        print(f"{model} never had a champion")
    if json:
        as_json({"model": model, "moves": made})


def _moment(text: str) -> datetime:
    from patchae.errors import UsageError

    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{text}' is not a time", mend="write for example 2026-03-03T14:00+01:00"
        ) from None


def _local(time: str) -> str:
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def rollback(
    model: Annotated[str, typer.Argument(help="A registered model, <line>.<class>.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    to: Annotated[
        str | None, typer.Option(help="An earlier champion's version; default: the one before.")
    ] = None,
    json: Json = False,
) -> None:
    """Return to an earlier champion, in seconds."""
    from patchae.registry.ledger import Ledger
    from patchae.registry.promotion import rollback as move_back
    from patchae.registry.tracking import Tracking
    from patchae.settings import settings

    project = here()
    tracking = Tracking.open(project)
    move = move_back(
        Ledger.of(project), tracking.aliases, model, to=to, actor=settings().who(), reason=reason
    )
    print(f"{model}: champion is version {move.body['to']} again, was {move.body['from']}")
    if json:
        as_json({"model": model, "champion": move.body["to"], "was": move.body["from"]})
