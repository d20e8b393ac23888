"""Whether MLflow's aliases are where the ledger says, and putting them there.

The ledger is the truth. A row that means aliases to be set (a move of the champion, or putting
aliases back) is written first, then they are set, then a row `confirmed` says that they are. So
aliases that differ have one of two causes, and rows tell which:

- the newest such row is not confirmed: its process died or MLflow did not answer. The next
  command on the model sets the aliases and records a `repair`.
- it is confirmed: somebody moved an alias past the ledger. Nothing is put right silently; a person
  says which of the two is meant, with `patchae reconcile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from patchae.errors import AliasMoved, UsageError
from patchae.registry.admission import check_reason
from patchae.registry.chain import Entry, Kind
from patchae.registry.ledger import Begin, Ledger
from patchae.registry.standing import ALIASES, champion_of, last_intent, settled_by

MOVING: tuple[Kind, ...] = ("move", "confirmed", "repair", "retired")
"""The kinds of rows that decide who is champion and whether MLflow knows."""

State = Literal["aligned", "interrupted", "moved"]


class Aliases(Protocol):
    """The aliases of registered models, as MLflow keeps them. Versions are text: "3"."""

    def get(self, model: str) -> Mapping[str, str]:
        """All aliases of a model, each with the version that it points at."""

    def check_may_move(self, model: str) -> None:
        """Asked before a row says that aliases move, so that none says it in vain.

        Raises:
            AccessRefused: this account may not.
        """

    def set(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version."""

    def delete(self, model: str, alias: str) -> None:
        """Take an alias away."""


@dataclass(frozen=True)
class Alignment:
    """The aliases of one model beside the ledger; without those that point at nothing."""

    state: State
    found: dict[str, str]
    """What MLflow shows."""
    wanted: dict[str, str]
    """What the ledger says."""
    intent: Entry | None
    """The newest row that meant aliases to be set."""
    right_at: str | None
    """When the ledger last saw them right."""

    def difference(self) -> str:
        """What differs, in words; empty when nothing does."""
        return "; ".join(
            f"{alias} is {_version(self.found.get(alias))} in MLflow and"
            f" {_version(self.wanted.get(alias))} in the ledger"
            for alias in ALIASES
            if self.found.get(alias) != self.wanted.get(alias)
        )

    def error(self, model: str) -> AliasMoved:
        """What to tell whoever meets aliases that were moved past the ledger."""
        last = f"the ledger saw them right at {self.right_at}; " if self.right_at else ""
        return AliasMoved(
            f"the aliases of {model} were moved in MLflow, past the ledger: {self.difference()};"
            f" {last}MLflow keeps no record of who moves an alias, nor when",
            where="MLflow",
            mend=f"`patchae reconcile {model} --put-back --reason TEXT` sets them as the ledger"
            " says, `--adopt` in its place makes MLflow's champion the champion",
        )


def compare(entries: Sequence[Entry], present: Mapping[str, str]) -> Alignment:
    """The aliases that MLflow shows beside what a model's entries say; a pure function."""
    wanted = champion_of(entries).aliases()
    found = {alias: present[alias] for alias in ALIASES if alias in present}
    intent = last_intent(entries)
    done = settled_by(entries, intent) if intent else None
    state: State
    if intent is None or done is not None:
        state = "aligned" if found == wanted else "moved"
    else:
        # Whoever was interrupted left each alias where it was or where it was to be.
        earlier = [entry for entry in entries if entry.seq < intent.seq]
        before = intent.body.get("found", champion_of(earlier).aliases())
        own = all(found.get(name) in (before.get(name), wanted.get(name)) for name in ALIASES)
        state = "interrupted" if own else "moved"
    return Alignment(state, found, wanted, intent, done.time if done else None)


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
    found = compare(entries, aliases.get(model))
    if found.state == "moved":
        raise found.error(model)
    if found.state == "aligned" or found.intent is None:
        return False
    _set(aliases, model, found)
    body = {
        "move": found.intent.seq,
        "why": "interrupted",
        "found": found.found,
        "set": found.wanted,
        "reason": "",
    }
    with begin() as transaction:
        transaction.append("repair", model, body, actor)
    return True


def follow(begin: Begin, aliases: Aliases, intent: Entry, *, actor: str) -> None:
    """Set the aliases after a row that means it, and confirm it; for who has the turn."""
    model = intent.model
    found = compare(read_moves(begin, model), aliases.get(model))
    _set(aliases, model, found)
    with begin() as transaction:
        body = {"move": intent.seq, "aliases": found.wanted}
        transaction.append("confirmed", model, body, actor)


def put_back(ledger: Ledger, aliases: Aliases, model: str, *, actor: str, reason: str) -> Alignment:
    """Set aliases that were moved past the ledger as the ledger says; returns what was found.

    Raises:
        UsageError: no reason is given, or nothing was moved.
        AccessRefused: this account may not move aliases; nothing is changed.
    """
    check_reason("putting aliases back", reason)
    with ledger.turn(model) as begin:
        entries = read_moves(begin, model)
        found = compare(entries, aliases.get(model))
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
            "set": found.wanted,
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
        wanted = found.wanted.get(alias)
        if wanted == found.found.get(alias):
            continue
        if wanted is None:
            aliases.delete(model, alias)
        else:
            aliases.set(model, alias, wanted)


def _version(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
