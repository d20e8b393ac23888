"""Commands that decide what may be champion: promote, rollback, reconcile, retire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Json, as_json, here

if TYPE_CHECKING:
    from patchae.lineage.probe import Probed
    from patchae.registry.beside import Beside
    from patchae.registry.chain import Entry
    from patchae.registry.ledger import Ledger
    from patchae.registry.promotion import Check
    from patchae.registry.tracking import Tracking

Reason = Annotated[str, typer.Option(help="Why; kept in the ledger.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A registered model, <line>.<class>.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (promote, rollback, reconcile, retire):
        app.command()(command)


def promote(
    version: Annotated[str, typer.Argument(metavar="MODEL/VERSION", help="What to promote.")],
    reason: Reason,
    override: Annotated[
        bool, typer.Option("--override", help="Although its verdict is `hold`; you answer for it.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a version the champion: on its verdict `promote`, or over a `hold`."""
    from patchae.registry.beside import Beside
    from patchae.registry.ledger import Ledger
    from patchae.registry.promotion import check_promotion
    from patchae.registry.promotion import override as move_over
    from patchae.registry.promotion import promote as move_to
    from patchae.settings import settings

    project = here()
    model, number = _model_and_number(version)
    ledger, who = Ledger.of(project), settings().who()
    verdict = check_promotion(
        ledger.entries(model), model, number, over_hold=override, reason=reason
    )
    with Beside() as beside:  # gets ready while MLflow is opened
        from patchae.registry.tracking import Tracking

        tracking = Tracking.open(project)
        _proven(tracking, ledger, model, beside)(number)
        if override:
            move = move_over(ledger, tracking.aliases, model, number, actor=who, reason=reason)
        else:
            move = move_to(
                ledger, tracking.aliases, model, number, verdict=verdict, actor=who, reason=reason
            )
    _tell(move)
    if json:
        as_json({"model": model, "champion": number, "was": move.body["from"], "seq": move.seq})


def rollback(
    model: Model,
    reason: Reason,
    to: Annotated[
        str | None, typer.Option(help="An earlier champion's version; default: the one before.")
    ] = None,
    json: Json = False,
) -> None:
    """Return to an earlier champion, in seconds; it is checked, loaded and asked first."""
    from patchae.registry.admission import check_reason
    from patchae.registry.beside import Beside
    from patchae.registry.ledger import Ledger
    from patchae.registry.promotion import check_rollback
    from patchae.registry.promotion import rollback as move_back
    from patchae.settings import settings

    project = here()
    check_reason("a rollback", reason)
    ledger = Ledger.of(project)
    check_rollback(ledger.entries(model), model, to)
    with Beside() as beside:  # gets ready while MLflow is opened
        from patchae.registry.tracking import Tracking

        tracking = Tracking.open(project)
        move = move_back(
            ledger,
            tracking.aliases,
            model,
            to=to,
            actor=settings().who(),
            reason=reason,
            check=_proven(tracking, ledger, model, beside),
        )
    print(f"{model}: champion is version {move.body['to']} again, was {move.body['from']}")
    if json:
        as_json({"model": model, "champion": move.body["to"], "was": move.body["from"]})


def reconcile(
    model: Model,
    reason: Reason,
    put_back: Annotated[
        bool, typer.Option("--put-back", help="Set the aliases as the ledger says.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make the champion that MLflow shows the champion.")
    ] = False,
    json: Json = False,
) -> None:
    """Settle aliases that somebody moved in MLflow past the ledger, one way or the other.

    --put-back also sets the tags that tell MLflow of thresholds.
    """
    from patchae.errors import UsageError
    from patchae.registry import alignment, promotion
    from patchae.registry.admission import check_reason
    from patchae.registry.aliases import look
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import champion_of
    from patchae.registry.tracking import Tracking
    from patchae.settings import settings

    if put_back == adopt:
        raise UsageError("say which of the two is meant", mend="give --put-back or --adopt")
    check_reason("settling what was moved", reason)
    project = here()
    ledger, who = Ledger.of(project), settings().who()
    if not ledger.entries(model):
        raise UsageError(
            f"no model is called '{model}'",
            where="the ledger",
            mend="`patchae status` lists the models",
        )
    tracking = Tracking.open(project)
    if adopt:
        _tell(promotion.adopt(ledger, tracking.aliases, model, actor=who, reason=reason))
    else:
        versions = _thresholds_put_back(tracking, ledger, model, who, reason)
        aligned = look(ledger.entries(model), tracking.aliases, model).state
        if not versions or aligned == "moved":
            found = alignment.put_back(ledger, tracking.aliases, model, actor=who, reason=reason)
            print(f"{model}: put back; it was: {found.difference()}")
            if found.lost:
                print(found.told_lost(model))
    aliases = champion_of(ledger.entries(model)).aliases()
    if json:
        as_json(
            {
                "model": model,
                "champion": aliases.get("champion"),
                "previous": aliases.get("previous"),
                "adopted": adopt,
            }
        )


def retire(
    version: Annotated[str, typer.Argument(metavar="MODEL/VERSION", help="What to retire.")],
    reason: Reason,
    json: Json = False,
) -> None:
    """Take a version out of use for good: it never becomes champion again. Nothing is deleted."""
    from patchae.registry.ledger import Ledger
    from patchae.registry.promotion import retire as take_out
    from patchae.settings import settings

    model, number = _model_and_number(version)
    row = take_out(Ledger.of(here()), model, number, actor=settings().who(), reason=reason)
    print(f"{model}/{number} is retired, row {row.seq} of the ledger")
    if json:
        as_json({"model": model, "version": number, "seq": row.seq})


def _thresholds_put_back(
    tracking: Tracking, ledger: Ledger, model: str, who: str, reason: str
) -> list[str]:
    """The versions whose threshold MLflow showed otherwise than the ledger; it no longer does."""
    from patchae.registry.threshold import THRESHOLD_TAG, put_back

    shown = {one.version: one.tags.get(THRESHOLD_TAG) for one in tracking.versions(model)}
    versions = put_back(ledger, tracking.aliases, model, shown, actor=who, reason=reason)
    for version in versions:
        print(f"{model}/{version}: the threshold that MLflow shows is put back")
    return versions


def _model_and_number(name: str) -> tuple[str, str]:
    from patchae.errors import UsageError

    model, _, number = name.partition("/")
    if not number.isdigit():
        raise UsageError(
            f"'{name}' names no version", mend="write MODEL/VERSION, for example sample.bolt/3"
        )
    return model, number


def _proven(tracking: Tracking, ledger: Ledger, model: str, beside: Beside) -> Check:
    """Checks a version's files, loads it, and compares the score of its stored image."""
    from patchae.lineage.probe import probe

    return lambda version: _tell_probe(probe(tracking, ledger, model, version, beside))


def _tell_probe(found: Probed) -> None:
    print(f"{found.path} scores {found.found:.6f}; recorded: {found.recorded:.6f}")


def _tell(move: Entry) -> None:
    before = f"was {move.body['from']}" if move.body["from"] else "there was none"
    print(f"{move.model}: champion is version {move.body['to']}, {before} ({move.body['why']})")
