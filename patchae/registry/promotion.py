"""Moving the champion: first a row in the ledger, then the aliases in MLflow after it.

The aliases are the projection of the ledger, never the other way round. Every check happens in the
same ledger transaction as the move, so that of two who promote at the same time one wins and the
other is refused. A crash between the row and the aliases is mended by `project`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from patchae.errors import NegativeFinding, UsageError
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import (
    ALIASES,
    champion_of,
    former_champions,
    last_verdict,
    moves,
)
from patchae.registry.verdict import Verdict
from patchae.registry.wording import explain


class Aliases(Protocol):
    """The aliases of registered models, as MLflow keeps them. Versions are text: "3"."""

    def get(self, model: str) -> Mapping[str, str]:
        """All aliases of a model, each with the version that it points at."""

    def set(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version."""

    def delete(self, model: str, alias: str) -> None:
        """Take an alias away."""


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
            or the version is champion already.
        NegativeFinding: the verdict is not `promote`, or is out of date: there is a newer one,
            or the champion that it compared with is no longer the champion.
    """
    with ledger.transaction() as transaction:
        entries = transaction.entries(model)
        _check_verdict(entries, model, version, verdict)
        current = champion_of(entries).current
        if current == version:
            raise UsageError(f"version {version} of {model} is already the champion")
        body = {
            "to": version,
            "from": current,
            "why": "promoted",
            "reason": reason,
            "verdict": verdict.seq,
        }
        move = transaction.append("move", model, body, actor)
    project(ledger, aliases, model)
    return move


def rollback(
    ledger: Ledger,
    aliases: Aliases,
    model: str,
    *,
    to: str | None = None,
    actor: str,
    reason: str,
) -> Entry:
    """Return to the previous champion, or to the earlier champion `to`; returns the move.

    Raises:
        UsageError: no reason is given, there is no earlier champion, or `to` never was champion
            or still is.
    """
    if not reason.strip():
        raise UsageError("a rollback needs a reason", mend="say why with --reason")
    if project(ledger, aliases, model):
        # A move was recorded and MLflow never heard of it: perhaps this very command, repeated.
        raise UsageError(
            f"an earlier move of {model} had not reached MLflow and has now:"
            f" the champion is version {champion_of(ledger.entries(model)).current}",
            where="the ledger",
            mend="look at `patchae history`, then repeat the command if you still want to go back",
        )
    with ledger.transaction() as transaction:
        entries = transaction.entries(model)
        champion = champion_of(entries)
        target = champion.previous if to is None else to
        if target is None:
            raise UsageError(
                f"{model} has no earlier champion to return to",
                where="the ledger",
                mend=f"see `patchae history {model}`",
            )
        if target == champion.current:
            raise UsageError(f"version {target} of {model} is already the champion")
        earlier = [known for known in former_champions(entries) if known != champion.current]
        if target not in earlier:
            raise UsageError(
                f"version {target} of {model} never was champion",
                where="the ledger",
                mend=f"roll back to one of: {', '.join(earlier) or 'none'};"
                " or promote it through the gate",
            )
        body = {
            "to": target,
            "from": champion.current,
            "why": "rolled_back",
            "reason": reason,
            "verdict": None,
        }
        move = transaction.append("move", model, body, actor)
    project(ledger, aliases, model)
    return move


def project(ledger: Ledger, aliases: Aliases, model: str) -> bool:
    """Make MLflow's aliases equal to the ledger; returns whether anything was different.

    Idempotent. Aliases other than `champion` and `previous` are left alone.
    """
    # Held for writing: otherwise a slow process could set what a faster one has moved on from.
    with ledger.transaction() as transaction:
        wanted = champion_of(transaction.entries(model)).aliases()
        present = aliases.get(model)
        different = [alias for alias in ALIASES if wanted.get(alias) != present.get(alias)]
        for alias in different:
            if alias in wanted:
                aliases.set(model, alias, wanted[alias])
            else:
                aliases.delete(model, alias)
    return bool(different)


def _check_verdict(entries: Sequence[Entry], model: str, version: str, verdict: Entry) -> None:
    judge_again = f"judge it again: `patchae retrain {model.partition('.')[0]}`"
    if verdict.kind != "verdict" or verdict not in entries:
        raise UsageError(
            f"row {verdict.seq} is not a verdict on {model}", where="the ledger", mend=judge_again
        )
    if verdict.body["version"] != version:
        raise UsageError(
            f"the verdict is on version {verdict.body['version']}, not on version {version}",
            where=f"row {verdict.seq} of the ledger",
            mend=judge_again,
        )
    if verdict.body["outcome"] != "promote":
        raise NegativeFinding(
            f"version {version} of {model} may not become champion:"
            f" {explain(Verdict.from_body(verdict.body))}",
            where=f"row {verdict.seq} of the ledger",
        )
    if any(move.body["verdict"] == verdict.seq for move in moves(entries)):
        raise UsageError(
            f"the verdict on version {version} of {model} was already used for a promotion",
            where=f"row {verdict.seq} of the ledger",
            mend=judge_again,
        )
    if last_verdict(entries, version) != verdict:
        raise NegativeFinding(
            f"there is a newer verdict on version {version} of {model}",
            where=f"row {verdict.seq} of the ledger",
            mend=judge_again,
        )
    current = champion_of(entries).current
    if verdict.body["champion"] != current:
        raise NegativeFinding(
            f"the verdict compared version {version} of {model} with"
            f" {_champion(verdict.body['champion'])}, but now {_champion(current)} is in use",
            where=f"row {verdict.seq} of the ledger",
            mend=judge_again,
        )


def _champion(version: str | None) -> str:
    return "no champion" if version is None else f"champion version {version}"
