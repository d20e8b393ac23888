"""Whether MLflow's aliases are where the ledger says, and putting them there.

The ledger is the truth. A row that means aliases to be set (a move of the champion, or putting
aliases back) is written first, then they are set, then a row `confirmed` says that they are. So
aliases that differ have one of two causes, and rows tell which:

- the newest such row is not confirmed: its process died or MLflow did not answer. The next
  command on the model sets the aliases and records a `repair`.
- it is confirmed: somebody moved an alias past the ledger. Nothing is put right silently; a person
  says which of the two is meant, with `patchae reconcile`.

Whoever deletes a version in MLflow takes its aliases with it, and none can be set to it again; nor
to one of another run, which MLflow numbers alike after it was restored from a backup. That is told,
and breaks the audit; it stands in the way of no move to a version that is still there.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchae.errors import UsageError
from patchae.registry.admission import check_reason
from patchae.registry.aliases import Aliases, Alignment, look
from patchae.registry.chain import Entry, Kind
from patchae.registry.ledger import Begin, Ledger
from patchae.registry.standing import ALIASES

MOVING: tuple[Kind, ...] = ("move", "confirmed", "repair", "retired", "registered")
"""The kinds of rows that decide who is champion and whether MLflow knows, by its very run."""


def settle(ledger: Ledger, aliases: Aliases, model: str, *, actor: str) -> bool:
    """Finish what was interrupted between the ledger and MLflow; whether there was anything.

    Raises:
        AliasMoved: an alias was moved past the ledger; nothing is changed.
    """
    with ledger.turn(model) as begin:
        return settle_within(begin, aliases, model, read_moves(begin, model), actor=actor)


def settle_within(
    begin: Begin, aliases: Aliases, model: str, entries: Sequence[Entry], *, actor: str
) -> bool:
    """As `settle`, for who has the turn of the model and read its entries."""
    found = look(entries, aliases, model)
    if found.state == "moved":
        raise found.error(model)
    if found.state != "interrupted" or found.intent is None:
        return False
    _set(aliases, model, found)
    body = {
        "move": found.intent.seq,
        "why": "interrupted",
        "found": found.found,
        "set": found.reachable,
        "reason": "",
    }
    with begin() as transaction:
        transaction.append("repair", model, body, actor)
    return True


def follow(begin: Begin, aliases: Aliases, intent: Entry, *, actor: str) -> None:
    """Set the aliases after a row that means it, and confirm it; for who has the turn."""
    model = intent.model
    found = look(read_moves(begin, model), aliases, model)
    _set(aliases, model, found)
    with begin() as transaction:
        body = {"move": intent.seq, "aliases": found.reachable}
        transaction.append("confirmed", model, body, actor)


def put_back(ledger: Ledger, aliases: Aliases, model: str, *, actor: str, reason: str) -> Alignment:
    """Set aliases that were moved past the ledger as the ledger says; returns what was found.

    One whose version is no longer in MLflow (`Alignment.lost`) cannot be set, and is taken away.

    Raises:
        UsageError: no reason is given, nothing was moved, or all that is missing was deleted.
        AccessRefused: this account may not move aliases; nothing is changed.
    """
    check_reason("putting aliases back", reason)
    with ledger.turn(model) as begin:
        entries = read_moves(begin, model)
        found = look(entries, aliases, model)
        if found.state == "lost":
            told = found.error(model)
            raise UsageError(
                f"nothing can be put back: {told.what}", where=told.where, mend=told.mend
            )
        if found.state != "moved":
            raise UsageError(
                f"the aliases of {model} are where the ledger says, or the next command sets them",
                mend="`patchae status` shows them",
            )
        moves = [entry.seq for entry in entries if entry.kind == "move"]
        body = {
            "move": moves[-1] if moves else None,
            "why": "put_back",
            "found": found.found,
            "set": found.reachable,
            "reason": reason,
        }
        aliases.check_may_move(model)
        with begin() as transaction:
            intent = transaction.append("repair", model, body, actor)
        follow(begin, aliases, intent, actor=actor)
    return found


def read_moves(begin: Begin, model: str) -> list[Entry]:
    """The entries of a model that are `MOVING`, for who has its turn."""
    with begin() as transaction:
        return transaction.entries(model, MOVING)


def _set(aliases: Aliases, model: str, found: Alignment) -> None:
    # Other aliases than these two are none of the ledger's business.
    for alias in ALIASES:
        wanted = found.reachable.get(alias)
        if wanted == found.found.get(alias):
            continue
        if wanted is None:
            aliases.delete(model, alias)
        else:
            aliases.set(model, alias, wanted)
