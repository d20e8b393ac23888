"""Letting go of the weights of versions that never were in use.

Most of what a version takes is its weights, and of a version that the gate did not let pass nobody
will ever load them again. They may go; nothing that a row of the ledger names goes with them: the
version, its run, its lineage record, its scores and those of the champion it was compared with all
stay, so that its verdict can be recomputed as before.

A row `tidied` is written first. It names each file with its sha256, and from then on no move leads
to the version any more. Then the files are removed, which the next tidying finishes if a crash came
in between. An audit takes a file for gone that such a row names, and for broken otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from patchae.config import Retention
from patchae.registry.aliases import Aliases
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.standing import (
    champion_of,
    former_champions,
    last_verdict,
    let_go,
    open_promotion,
    registrations,
)

Files = Mapping[str, Mapping[str, Any]]
"""Files of a model by name, each with `sha256` and `bytes`."""

Why = Literal["was_champion", "waits", "not_judged", "newest", "recent", "alias", "not_in_ledger"]

WHY: dict[Why, str] = {
    "was_champion": "it is or was champion: a rollback may lead to it",
    "waits": "its verdict `promote` waits for its move",
    "not_judged": "the gate has not judged it yet",
    "newest": "it is one of the newest `keep_last` versions",
    "recent": "younger than `unpromoted_models_days`",
    "alias": "an alias in MLflow points at it",
    "not_in_ledger": "MLflow has it and the ledger does not: `patchae retrain` records it",
}
"""Why a version keeps its weights."""


class Stays(Exception):
    """Raised when something is not to be removed after all; the message says why."""


def why_kept(
    entries: Sequence[Entry],
    version: str,
    *,
    policy: Retention,
    now: datetime,
    aliases: Mapping[str, str],
) -> Why | None:
    """Why a version keeps its weights; None: it may let go of them.

    Law: a version that a move of `entries` leads to is never one of which the answer is None.

    Args:
        entries: those on its model, in their order.
        version: the version.
        policy: how long what is kept.
        now: when it is asked.
        aliases: of the model in MLflow, each with its version.
    """
    return next(_reasons(entries, version, policy, now, aliases), None)


def _reasons(
    entries: Sequence[Entry],
    version: str,
    policy: Retention,
    now: datetime,
    aliases: Mapping[str, str],
) -> Iterator[Why]:
    if not registrations(entries, version):
        yield "not_in_ledger"
    if version in former_champions(entries):
        yield "was_champion"
    if version in aliases.values():
        yield "alias"
    verdict = last_verdict(entries, version)
    if verdict is None:
        yield "not_judged"
        return
    current = champion_of(entries).current
    if open_promotion(entries, version) and verdict.body["champion"] == current:
        yield "waits"
    if version in newest(entries, policy.keep_last):
        yield "newest"
    days = policy.unpromoted_models_days
    if days is None or now - datetime.fromisoformat(verdict.time) < timedelta(days=days):
        yield "recent"


def newest(entries: Sequence[Entry], count: int) -> set[str]:
    """The newest versions that the ledger knows of a model."""
    known = {entry.body["version"] for entry in entries if entry.kind == "registered"}
    return set(sorted(known, key=int, reverse=True)[:count])


def let_weights_go(
    ledger: Ledger,
    aliases: Aliases,
    model: str,
    version: str,
    files: Files,
    *,
    policy: Retention,
    now: datetime,
    actor: str,
) -> Entry:
    """Record that some files of a version go; returns the row, also one that was there before.

    Whoever records it has the model's turn, so that nobody promotes the version meanwhile.

    Raises:
        Stays: the version keeps its weights as things stand now.
        AccessRefused: this account may not move aliases, and hence not take a version out of use.
    """
    with ledger.turn(model) as begin:
        aliases.check_may_move(model)
        pointing = aliases.get(model)
        with begin() as transaction:
            entries = transaction.entries(model)
            if known := let_go(entries).get(version):
                return known
            if why := why_kept(entries, version, policy=policy, now=now, aliases=pointing):
                raise Stays(WHY[why])
            body = {
                "version": version,
                "files": {name: dict(file) for name, file in files.items()},
                "policy": policy.model_dump(mode="json"),
            }
            return transaction.append("tidied", model, body, actor)
