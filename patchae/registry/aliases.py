"""The aliases that MLflow shows beside those that the ledger means: the same, or how they differ.

Nothing is changed here; `alignment` puts aliases where they are meant to be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from patchae.errors import AliasMoved, UsageError
from patchae.registry.chain import Entry
from patchae.registry.standing import (
    ALIASES,
    CHAMPION,
    champion_of,
    last_intent,
    registrations,
    settled_by,
)

State = Literal["aligned", "interrupted", "lost", "moved"]
"""`lost`: all that is missing are aliases of versions that were deleted in MLflow."""


class Aliases(Protocol):
    """The aliases of registered models, as MLflow keeps them. Versions are text: "3"."""

    def get(self, model: str) -> Mapping[str, str]:
        """All aliases of a model, each with the version that it points at."""

    def has(self, model: str, version: str, run: str | None = None) -> bool:
        """Whether a version is still there, so that an alias can point at it; with `run`, that of
        this run: MLflow that was restored from a backup gives a number a second time."""

    def check_may_move(self, model: str) -> None:
        """Asked before a row says that aliases move, so that none says it in vain.

        Raises:
            AccessRefused: this account may not.
        """

    def set(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version."""

    def delete(self, model: str, alias: str) -> None:
        """Take an alias away."""

    def tag(self, model: str, version: str, name: str, value: str | None) -> None:
        """Set a tag of a version; None: take it away."""


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
    gone: frozenset[str] = frozenset()
    """Versions that are no longer in MLflow, of those that matter here."""

    @property
    def reachable(self) -> dict[str, str]:
        """Those of `wanted` that can be set."""
        return {name: known for name, known in self.wanted.items() if known not in self.gone}

    @property
    def lost(self) -> dict[str, str]:
        """Those of `wanted` whose version is no longer in MLflow."""
        return {name: known for name, known in self.wanted.items() if known in self.gone}

    def difference(self) -> str:
        """What differs, in words; empty when nothing does."""
        return "; ".join(
            f"{alias} is {_version(self.found.get(alias))} in MLflow and"
            f" {_version(self.wanted.get(alias))} in the ledger"
            for alias in ALIASES
            if self.found.get(alias) != self.wanted.get(alias)
        )

    def error(self, model: str) -> AliasMoved:
        """What to tell whoever meets aliases that were moved past the ledger, or lost."""
        if self.state == "lost":
            return AliasMoved(
                f"{self.told_lost(model)}; MLflow keeps no record of who deletes a version",
                where="MLflow",
                mend=f"`patchae rollback {model} --to VERSION --reason TEXT` returns to an earlier"
                f" champion, `patchae promote {model}/VERSION --override --reason TEXT` takes one"
                " that could not be compared with it"
                if CHAMPION in self.lost
                else "nothing has to be done: the next promotion sets the alias anew; until then a"
                " rollback needs --to VERSION",
            )
        last = f"the ledger saw them right at {self.right_at}; " if self.right_at else ""
        return AliasMoved(
            f"the aliases of {model} were moved in MLflow, past the ledger: {self.difference()};"
            f" {last}MLflow keeps no record of who moves an alias, nor when",
            where="MLflow",
            mend=f"`patchae reconcile {model} --put-back --reason TEXT` sets them as the ledger"
            " says, `--adopt` in its place makes MLflow's champion the champion",
        )

    def told_lost(self, model: str) -> str:
        """Which aliases went with which versions, in words; empty when none did."""
        return "; ".join(
            f"version {version} of {model} is no longer in MLflow, and its alias {alias} is gone"
            for alias, version in self.lost.items()
        )


def look(entries: Sequence[Entry], aliases: Aliases, model: str) -> Alignment:
    """The aliases of a model beside its entries, as they are in MLflow now."""
    present = aliases.get(model)
    found = compare(entries, present)
    if found.state == "aligned":
        return found
    meant = {*found.wanted.values(), *_before(entries, found.intent).values()}
    unseen = meant.difference(present.values())
    gone = [one for one in unseen if not aliases.has(model, one, _run(entries, one))]
    return compare(entries, present, gone)


def compare(
    entries: Sequence[Entry], present: Mapping[str, str], gone: Collection[str] = ()
) -> Alignment:
    """The aliases that MLflow shows beside what a model's entries say; a pure function.

    `gone` are versions that are no longer in MLflow; no alias can be at one of them.
    """
    wanted = champion_of(entries).aliases()
    found = {alias: present[alias] for alias in ALIASES if alias in present}
    intent = last_intent(entries)
    done = settled_by(entries, intent) if intent else None
    told = Alignment("moved", found, wanted, intent, done.time if done else None, frozenset(gone))
    if intent is None or done is not None:
        if found == wanted:
            return replace(told, state="aligned")
        return replace(told, state="lost") if found == told.reachable else told
    # Whoever was interrupted left each alias where it was or where it was to be. One that pointed
    # at a version that was deleted went with it.
    before = _before(entries, intent)
    for alias in ALIASES:
        may_be = {before.get(alias), wanted.get(alias)}
        if may_be & told.gone:
            may_be.add(None)
        if found.get(alias) not in may_be:
            return told
    return replace(told, state="interrupted")


def _before(entries: Sequence[Entry], intent: Entry | None) -> Mapping[str, str]:
    """The aliases from before a row that meant others."""
    if intent is None:
        return {}
    known: Mapping[str, str] | None = intent.body.get("found")
    earlier = [entry for entry in entries if entry.seq < intent.seq]
    return champion_of(earlier).aliases() if known is None else known


def _run(entries: Sequence[Entry], version: str) -> str | None:
    """The run that the ledger registered a version of; None where no row says it."""
    rows = registrations(entries, version)
    return str(rows[0].body["run_id"]) if rows else None


def check_there(aliases: Aliases, model: str, version: str, entries: Sequence[Entry]) -> None:
    """Refuse to make a version champion that is no longer in MLflow, before a row says so.

    One of another run than the ledger registered under its number is not the one that was judged.

    Raises:
        UsageError: it is not.
    """
    if not aliases.has(model, version, _run(entries, version)):
        raise UsageError(
            f"version {version} of {model} is no longer in MLflow",
            where="MLflow",
            mend=f"`patchae history {model}` shows the earlier champions; choose another version",
        )


def _version(version: str | None) -> str:
    return "none" if version is None else f"version {version}"
