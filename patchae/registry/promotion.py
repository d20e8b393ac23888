"""Moving the champion: a row in the ledger, then the aliases in MLflow, then a confirmation.

Compare and set: every move names the champion that it replaces, and that is checked again in the
transaction that writes the row. Whoever moves has the model's turn from the first look to the
confirmation, so that of many who promote at the same time one wins and the others are told who
did. What a crash interrupts is finished by the next command, see `alignment`. Whether the account
may move aliases at all is asked before the row is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from patchae.errors import NegativeFinding, UsageError
from patchae.registry.admission import (
    check_about,
    check_current,
    check_newest,
    check_not_let_go,
    check_not_retired,
    check_reason,
    check_registered,
    judge_again,
    past_the_gate,
    row,
    target_of,
    who_moved,
)
from patchae.registry.aliases import Aliases, check_there, look
from patchae.registry.alignment import MOVING, follow, read_moves, settle_within
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import CHAMPION, champion_of, is_settled, last_verdict
from patchae.registry.wording import explain_row

Check = Callable[[str], None]
"""Called with the version before it becomes champion; raises when it must not."""


def check_promotion(
    entries: Sequence[Entry], model: str, version: str, *, over_hold: bool, reason: str
) -> Entry:
    """The verdict that a promotion rests on; refuses what the rows alone rule out.

    So that a command can be refused before anything is opened or loaded. All of it is asked again
    by whoever has the model's turn.

    Args:
        entries: all rows on the model.
        model: the registered model.
        version: what is to become champion.
        over_hold: whether a person overrides a `hold`.
        reason: why.

    Raises:
        UsageError: as `promote` and `override`.
        NegativeFinding: likewise.
    """
    if over_hold:
        check_reason("an override", reason)
    verdict = last_verdict(entries, version)
    if verdict is None:
        raise UsageError(f"version {version} of {model} was never judged", mend=judge_again(model))
    if over_hold:
        _check_held(verdict)
    else:
        _check_promoting(verdict)
    check_not_retired(entries, model, version)
    check_not_let_go(entries, model, version)
    if is_settled(entries):  # else what was interrupted is finished first, and then asked
        _check_standing(entries, verdict)
    return verdict


def check_rollback(entries: Sequence[Entry], model: str, to: str | None) -> None:
    """Refuse a rollback that the rows alone rule out, before anything is opened or loaded.

    Raises:
        UsageError: as `rollback`.
    """
    if is_settled(entries):  # else the rollback may have been recorded already, see `rollback`
        check_not_retired(entries, model, target_of(entries, model, to))


def promote(
    ledger: Ledger,
    aliases: Aliases,
    model: str,
    version: str,
    *,
    verdict: Entry,
    actor: str,
    reason: str = "",
) -> Entry:
    """Make `version` the champion on the strength of a verdict; returns the move.

    Raises:
        UsageError: the verdict is on another version, is not in the ledger or was used before,
            or the version is champion already, retired, or no longer in MLflow.
        NegativeFinding: the verdict is not `promote`, or is out of date: there is a newer one,
            or the champion that it compared with is no longer the champion.
        AliasMoved: an alias was moved past the ledger.
        AccessRefused: this account may not move aliases; nothing is changed.
    """
    check_about(model, version, verdict)
    _check_promoting(verdict)
    return _promote(ledger, aliases, verdict, why="promoted", actor=actor, reason=reason)


def override(
    ledger: Ledger,
    aliases: Aliases,
    model: str,
    version: str,
    *,
    actor: str,
    reason: str,
) -> Entry:
    """Make a version the champion that the gate held back, on a person's word; returns the move.

    Raises:
        UsageError: no reason is given, the version was never judged, needs no override, or its
            verdict was used before; or it is no longer in MLflow.
        NegativeFinding: the gate rejected it, or held it against another champion.
        AliasMoved: an alias was moved past the ledger.
        AccessRefused: this account may not move aliases; nothing is changed.
    """
    check_reason("an override", reason)
    verdict = last_verdict(ledger.entries(model), version)
    if verdict is None:
        raise UsageError(f"version {version} of {model} was never judged", mend=judge_again(model))
    _check_held(verdict)
    return _promote(ledger, aliases, verdict, why="overridden", actor=actor, reason=reason)


def rollback(
    ledger: Ledger,
    aliases: Aliases,
    model: str,
    *,
    to: str | None = None,
    actor: str,
    reason: str,
    check: Check | None = None,
) -> Entry:
    """Return to the previous champion, or to the earlier champion `to`; returns the move.

    Raises:
        UsageError: no reason is given, there is no earlier champion, `to` never was champion,
            still is, is retired or no longer in MLflow; or an earlier move had not reached MLflow.
        NegativeFinding: somebody else moved the champion meanwhile.
        AliasMoved: an alias was moved past the ledger.
        AccessRefused: this account may not move aliases; nothing is changed.
    """
    check_reason("a rollback", reason)
    expected = champion_of(ledger.entries(model, MOVING)).current
    with ledger.turn(model) as begin:
        entries = read_moves(begin, model)
        if settle_within(begin, aliases, model, entries, actor=actor):
            # A move was recorded and MLflow never heard of it: perhaps this very command, repeated.
            raise UsageError(
                f"an earlier move of {model} had not reached MLflow and has now:"
                f" the champion is version {champion_of(entries).current}",
                where="the ledger",
                mend="look at `patchae history`, then repeat the command if you still want to"
                " go back",
            )
        if champion_of(entries).current != expected:
            raise NegativeFinding(
                f"{model} was moved meanwhile: {who_moved(entries)}",
                where="the ledger",
                mend="look at `patchae history`, then repeat the command if you still want to",
            )
        target = target_of(entries, model, to)
        check_there(aliases, model, target, entries)
        if check:
            check(target)
        aliases.check_may_move(model)
        body = _body(to=target, before=expected, why="rolled_back", reason=reason, verdict=None)
        with begin() as transaction:
            check_not_retired(transaction.entries(model, MOVING), model, target)
            move = transaction.append("move", model, body, actor)
        follow(begin, aliases, move, actor=actor)
    return move


def adopt(ledger: Ledger, aliases: Aliases, model: str, *, actor: str, reason: str) -> Entry:
    """Make the version champion that MLflow shows although the ledger never moved it there.

    Raises:
        UsageError: no reason is given, or MLflow shows no other champion than the ledger.
        NegativeFinding: the gate rejected that version, or never judged it.
        AccessRefused: this account may not move aliases; nothing is changed.
    """
    check_reason("adopting an alias", reason)
    with ledger.turn(model) as begin:
        aliases.check_may_move(model)
        with begin() as transaction:
            entries = transaction.entries(model)
            found = look(entries, aliases, model)
            current, version = champion_of(entries).current, found.found.get(CHAMPION)
            if found.state != "moved" or version is None or version == current:
                raise UsageError(
                    f"MLflow shows no champion of {model} that could be adopted",
                    mend="see `patchae status`; --put-back sets the aliases as the ledger says",
                )
            check_there(aliases, model, version, entries)
            check_not_retired(entries, model, version)
            check_not_let_go(entries, model, version)
            verdict = last_verdict(entries, version)
            if verdict is None or verdict.body["outcome"] == "reject":
                why = "was never judged" if verdict is None else "was rejected by the gate"
                raise NegativeFinding(
                    f"version {version} of {model} {why}: it cannot be adopted",
                    where="the ledger",
                    mend=f"`patchae reconcile {model} --put-back --reason TEXT`",
                )
            body = _body(
                to=version, before=current, why="adopted", reason=reason, verdict=verdict.seq
            )
            move = transaction.append("move", model, {**body, "found": found.found}, actor)
        follow(begin, aliases, move, actor=actor)
    return move


def retire(ledger: Ledger, model: str, version: str, *, actor: str, reason: str) -> Entry:
    """Record that a version is out of use for good; returns the row.

    Raises:
        UsageError: no reason is given; it is champion or the one before, was never registered, or
            is retired.
    """
    check_reason("retiring a version", reason)
    with ledger.transaction() as transaction:
        entries = transaction.entries(model)
        champion = champion_of(entries)
        if version in (champion.current, champion.previous):
            raise UsageError(
                f"version {version} of {model} is"
                f" {'the champion' if version == champion.current else 'what a rollback leads to'}",
                mend="retire others",
            )
        check_not_retired(entries, model, version)
        check_registered(entries, model, version)
        return transaction.append("retired", model, {"version": version, "reason": reason}, actor)


def _check_promoting(verdict: Entry) -> None:
    """Refuse a verdict that is not `promote`."""
    if verdict.body["outcome"] != "promote":
        raise NegativeFinding(
            f"version {verdict.body['version']} of {verdict.model} may not become champion:"
            f" {explain_row(verdict.body)}",
            where=row(verdict),
            mend=past_the_gate(verdict),
        )


def _check_held(verdict: Entry) -> None:
    """Refuse a verdict that needs no override, or that none may override."""
    name = f"version {verdict.body['version']} of {verdict.model}"
    if verdict.body["outcome"] == "promote":
        raise UsageError(
            f"{name} needs no override: its verdict is `promote`",
            where=row(verdict),
            mend="leave out --override",
        )
    if verdict.body["outcome"] != "hold":
        raise NegativeFinding(
            f"{name} was rejected, and nobody may override that: {explain_row(verdict.body)}",
            where=row(verdict),
            mend=past_the_gate(verdict),
        )


def _check_standing(entries: Sequence[Entry], verdict: Entry) -> str | None:
    """Refuse a verdict that is used or out of date; the champion that it compared with."""
    check_current(entries, verdict.model, verdict)
    current = champion_of(entries).current
    if current == verdict.body["version"]:
        raise UsageError(f"version {current} of {verdict.model} is already the champion")
    return current


def _promote(
    ledger: Ledger,
    aliases: Aliases,
    verdict: Entry,
    *,
    why: str,
    actor: str,
    reason: str,
) -> Entry:
    model, version = verdict.model, verdict.body["version"]
    with ledger.turn(model) as begin:
        entries = read_moves(begin, model)
        settle_within(begin, aliases, model, entries, actor=actor)
        check_current(entries, model, verdict)
        check_there(aliases, model, version, entries)
        aliases.check_may_move(model)
        with begin() as transaction:
            entries = transaction.entries(model)
            check_newest(entries, model, verdict)
            current = _check_standing(entries, verdict)
            check_not_retired(entries, model, version)
            check_not_let_go(entries, model, version)
            body = _body(to=version, before=current, why=why, reason=reason, verdict=verdict.seq)
            move = transaction.append("move", model, body, actor)
        follow(begin, aliases, move, actor=actor)
    return move


def _body(
    *, to: str, before: str | None, why: str, reason: str, verdict: int | None
) -> dict[str, Any]:
    return {"to": to, "from": before, "why": why, "reason": reason, "verdict": verdict}
