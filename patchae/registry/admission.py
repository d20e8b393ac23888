"""What must hold before a champion is moved: each check is silent, or raises what to tell.

The checks look at rows alone. Who calls them has the model's turn, so that what they found still
holds when the move is written.

Raises:
    UsageError: the move makes no sense.
    NegativeFinding: it did, and something else was decided meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchae.errors import NegativeFinding, UsageError
from patchae.registry.chain import Entry
from patchae.registry.standing import (
    champion_of,
    former_champions,
    last_verdict,
    let_go,
    moves,
    registrations,
    retired,
)
from patchae.registry.verdict import Reason


def check_reason(what: str, reason: str) -> None:
    """Refuse what nobody says why of."""
    if not reason.strip():
        raise UsageError(f"{what} needs a reason", mend="say why with --reason")


def check_about(model: str, version: str, verdict: Entry) -> None:
    """Refuse what is no verdict on this version."""
    if verdict.kind != "verdict" or verdict.model != model:
        raise UsageError(
            f"row {verdict.seq} is not a verdict on {model}",
            where="the ledger",
            mend=judge_again(model),
        )
    if verdict.body["version"] != version:
        raise UsageError(
            f"the verdict is on version {verdict.body['version']}, not on version {version}",
            where=row(verdict),
            mend=judge_again(model),
        )


def check_current(entries: Sequence[Entry], model: str, verdict: Entry) -> None:
    """Refuse a verdict that was used, or that compared with a champion that no longer is one."""
    version, current = verdict.body["version"], champion_of(entries).current
    if any(move.body["verdict"] == verdict.seq for move in moves(entries)):
        raise UsageError(
            f"the verdict on version {version} of {model} was already used for a promotion",
            where=row(verdict),
            mend=f"{judge_again(model)}; or return to it with `patchae rollback {model} --to"
            f" {version}`",
        )
    if verdict.body["champion"] != current:
        raise NegativeFinding(
            f"the verdict compared version {version} of {model} with"
            f" {_champion(verdict.body['champion'])}, but now {_champion(current)} is in use:"
            f" {who_moved(entries)}",
            where=row(verdict),
            mend=judge_again(model),
        )


def check_newest(entries: Sequence[Entry], model: str, verdict: Entry) -> None:
    """Refuse a verdict that is not in the ledger, or not the newest on its version."""
    version = verdict.body["version"]
    if verdict not in entries:
        raise UsageError(
            f"row {verdict.seq} is not a verdict on {model}",
            where="the ledger",
            mend=judge_again(model),
        )
    if last_verdict(entries, version) != verdict:
        raise NegativeFinding(
            f"there is a newer verdict on version {version} of {model}",
            where=row(verdict),
            mend=judge_again(model),
        )


def check_not_retired(entries: Sequence[Entry], model: str, version: str) -> None:
    """Refuse a version that is out of use for good."""
    if version in retired(entries):
        raise UsageError(
            f"version {version} of {model} is retired",
            where="the ledger",
            mend="choose another version",
        )


def check_registered(entries: Sequence[Entry], model: str, version: str) -> None:
    """Refuse a version that the ledger does not know."""
    if not registrations(entries, version):
        raise UsageError(
            f"the ledger knows no version {version} of {model}",
            where="the ledger",
            mend=f"see `patchae history {model}`",
        )


def check_not_let_go(entries: Sequence[Entry], model: str, version: str) -> None:
    """Refuse a version whose weights were tidied: there is nothing left to deploy."""
    if gone := let_go(entries).get(version):
        raise UsageError(
            f"the weights of version {version} of {model} were let go by the retention policy"
            f" at {gone.time}",
            where=row(gone),
            mend=f"`patchae reproduce {model}/{version}` trains it again to compare; a retraining"
            " on the same images and settings registers a new version",
        )


def target_of(entries: Sequence[Entry], model: str, to: str | None) -> str:
    """The version that a rollback leads to; refuses one that never was champion, or is."""
    champion = champion_of(entries)
    target = champion.previous if to is None else to
    if target is None:
        raise UsageError(
            f"{model} has no earlier champion to return to",
            where="the ledger",
            mend=f"see `patchae history {model}`",
        )
    if target == champion.current:
        raise UsageError(
            f"version {target} of {model} is already the champion",
            where="the ledger",
            mend=f"leave out --to to return to the one before; see `patchae history {model}`",
        )
    earlier = [known for known in former_champions(entries) if known != champion.current]
    if target not in earlier:
        raise UsageError(
            f"version {target} of {model} never was champion",
            where="the ledger",
            mend=f"roll back to one of: {', '.join(earlier) or 'none'};"
            " or promote it through the gate",
        )
    return target


def who_moved(entries: Sequence[Entry]) -> str:
    """Who moved the champion last: what the loser of a race is told."""
    made = moves(entries)
    if not made:
        return "nobody moved it yet"
    last = made[-1]
    why = last.body["why"].replace("_", " ")
    on = f" on {last.host}" if last.host else ""
    return f"{last.actor}{on} {why} version {last.body['to']} at {last.time}"


def judge_again(model: str) -> str:
    """What mends a verdict that is out of date."""
    return f"judge it again: `patchae retrain {model.partition('.')[0]}`"


def past_the_gate(verdict: Entry) -> str:
    """What a person can do about a verdict that is not `promote`."""
    if verdict.body["outcome"] == "hold":
        name = f"{verdict.model}/{verdict.body['version']}"
        override = f"if you answer for it: `patchae promote {name} --override --reason TEXT`"
        if Reason.PROMISE_NOT_KEPT in verdict.body["reasons"]:
            return f"see what other thresholds would do: `patchae threshold {name}`; {override}"
        return override
    return "if the limits are wrong, change `gates:` of the line, and judge it again"


def row(entry: Entry) -> str:
    """Where an entry stands, for messages."""
    return f"row {entry.seq} of the ledger"


def _champion(version: str | None) -> str:
    return "no champion" if version is None else f"champion version {version}"
