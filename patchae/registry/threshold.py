"""Move the threshold of a version: a row in the ledger, a tag in MLflow, a confirmation.

The threshold that training set lies in the model's files, which never change. From the first row
`threshold` on a version decides by the newest one, wherever patchae asks it. The tag
`patchae.threshold` tells it to whoever loads the model with MLflow alone; it follows the ledger as
the aliases do, and what a crash interrupts is finished by the next move.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from patchae.errors import DataError, NegativeFinding, UsageError
from patchae.registry.admission import (
    check_not_let_go,
    check_not_retired,
    check_reason,
    check_registered,
)
from patchae.registry.aliases import Aliases, check_there
from patchae.registry.chain import Entry, Kind
from patchae.registry.ledger import Begin, Ledger
from patchae.registry.operating import calibration_in, conformal
from patchae.registry.standing import settled_by, threshold_in_force, thresholds
from patchae.registry.tracking import TAG

if TYPE_CHECKING:
    from patchae.model.detector import PatchAE

Why = Literal["set", "false_alarms", "reset"]
"""`false_alarms`: it follows from the calibration scores, as the trained one does."""
THRESHOLD_TAG = f"{TAG}threshold"
MOVED: tuple[Kind, ...] = ("threshold",)
KINDS: tuple[Kind, ...] = (*MOVED, "confirmed", "retired", "tidied", "registered")


def check_version(entries: Sequence[Entry], model: str, version: str, reason: str) -> None:
    """Refuse what can be refused from the rows of a model alone.

    Raises:
        UsageError: no reason is given, or the version is unknown, retired or without its weights.
    """
    check_reason("moving a threshold", reason)
    check_registered(entries, model, version)
    check_not_retired(entries, model, version)
    check_not_let_go(entries, model, version)


def check_value(value: float) -> None:
    """Refuse what no score can be compared with."""
    if not math.isfinite(value) or value < 0:
        raise UsageError(f"{value} is no threshold", mend="give a number, 0 or more")


def check_rate(rate: float) -> None:
    """Refuse what is no share of false alarms."""
    if not 0 < rate < 1:
        raise UsageError(
            f"a rate of false alarms of {rate:g} is impossible",
            mend="give a share between 0 and 1, such as 0.01 for 1 %",
        )


def move_threshold(
    ledger: Ledger,
    aliases: Aliases,
    model: str,
    version: str,
    *,
    to: float,
    before: float,
    trained: float,
    why: Why,
    rate: float | None,
    actor: str,
    reason: str,
) -> Entry:
    """Have a version decide by another threshold; returns the row.

    Args:
        ledger: where the move is recorded.
        aliases: MLflow's side of the model.
        model: the registered model.
        version: its version.
        to: the new threshold.
        before: the one in force when the caller looked: compare and set.
        trained: the one that training set.
        why: how the new one came about.
        rate: the share of false alarms that it promises, where it does.
        actor: who moves it.
        reason: why.

    Raises:
        UsageError: as `check_version`; or the threshold is that already, or no number.
        NegativeFinding: somebody else moved it meanwhile.
        AccessRefused: this account may not move aliases; nothing is changed.
    """
    check_value(to)
    with ledger.turn(model) as begin:
        with begin() as transaction:
            entries = transaction.entries(model, KINDS)
        check_version(entries, model, version, reason)
        aliases.check_may_move(model)
        _finish(begin, aliases, entries, actor=actor)
        current = threshold_in_force(entries, version)
        current = trained if current is None else current
        if current != before:
            raise NegativeFinding(
                f"the threshold of {model}/{version} was moved meanwhile, to {current!r}",
                where="the ledger",
                mend="look at `patchae threshold`, then repeat the command if you still want to",
            )
        if to == current:
            raise UsageError(
                f"the threshold of {model}/{version} is {current!r} already", mend="choose another"
            )
        check_there(aliases, model, version, entries)
        body = {
            "version": version,
            "from": current,
            "to": to,
            "why": why,
            "rate": rate,
            "reason": reason,
        }
        with begin() as transaction:
            row = transaction.append("threshold", model, body, actor)
        _show(begin, aliases, row, actor=actor)
    return row


def finish(ledger: Ledger, aliases: Aliases, model: str, *, actor: str) -> bool:
    """Finish moves of thresholds that a crash kept from MLflow; whether there was one."""
    if not unfinished(ledger.entries(model, KINDS)):
        return False
    with ledger.turn(model) as begin:
        with begin() as transaction:
            entries = transaction.entries(model, KINDS)
        return _finish(begin, aliases, entries, actor=actor)


def put_back(
    ledger: Ledger,
    aliases: Aliases,
    model: str,
    shown: Mapping[str, str | None],
    *,
    actor: str,
    reason: str,
) -> list[str]:
    """Set the tags that somebody changed in MLflow as the ledger says; returns their versions.

    Args:
        ledger: what they follow.
        aliases: MLflow's side of the model.
        model: the registered model.
        shown: the tag of each of its versions as MLflow has it; None: there is none.
        actor: who puts them back.
        reason: why.

    Raises:
        UsageError: no reason is given.
        AccessRefused: this account may not; nothing is changed.
    """
    check_reason("putting a threshold back", reason)
    with ledger.turn(model) as begin:
        with begin() as transaction:
            entries = transaction.entries(model, KINDS)
        wrong = [
            version for version, tag in shown.items() if tag not in expected_tags(entries, version)
        ]
        if wrong:
            aliases.check_may_move(model)
        for version in wrong:
            if rows := thresholds(entries, version):
                _show(begin, aliases, rows[-1], actor=actor, reason=reason)
            else:
                aliases.tag(model, version, THRESHOLD_TAG, None)
    return wrong


def unfinished(entries: Sequence[Entry]) -> list[Entry]:
    """The rows in force of which nothing says that MLflow shows them."""
    newest = {row.body["version"]: row for row in thresholds(entries)}
    return [row for row in newest.values() if settled_by(entries, row) is None]


def expected_tags(entries: Sequence[Entry], version: str) -> set[str | None]:
    """What the tag of a version may be: one value, or before a confirmation two."""
    rows = thresholds(entries, version)
    if not rows:
        return {None}
    values: set[str | None] = {tag_of(rows[-1])}
    if settled_by(entries, rows[-1]) is None:
        values.add(tag_of(rows[-2]) if len(rows) > 1 else None)
    return values


def tag_of(row: Entry) -> str:
    """The text of the tag that shows a row."""
    return repr(float(row.body["to"]))


def promised_by(facts: Mapping[str, Any], rate: float, name: str) -> float:
    """The threshold that promises a rate of false alarms, by the calibration scores of a model.

    Raises:
        UsageError: the rate is none, or so few scores cannot promise it.
        DataError: the model's files do not hold the scores.
    """
    check_rate(rate)
    scores = calibration_in(facts)
    if not scores:
        raise DataError(
            f"the calibration scores of {name} are not to be had",
            where="model.json of the version in MLflow",
            mend="restore the files of the version from a backup, or give a value with --set",
        )
    if (len(scores) + 1) * rate < 1:
        raise UsageError(
            f"{len(scores)} calibration images cannot promise a false-alarm rate of {rate:g}",
            mend=f"ask for {math.ceil(1e4 / (len(scores) + 1)) / 1e4:g} or more; or add images to"
            " train/good and train the class again",
        )
    return conformal(scores, rate)


def apply(detector: PatchAE, threshold: float | None) -> PatchAE:
    """Have a loaded model decide by a threshold of the ledger; None: as it was trained."""
    if threshold is not None:
        detector.facts = {
            **detector.facts,
            "threshold": threshold,
            "trained_threshold": detector.facts["threshold"],
            "false_alarm_interval": false_alarms_above(
                threshold, calibration_in(detector.facts), 0.95
            ),
        }
    return detector


def false_alarms_above(
    threshold: float, calibration: Sequence[float], confidence: float
) -> list[float]:
    """Between which rates the false alarms of any threshold lie, by the calibration scores.

    As `patchae.model.threshold.false_alarm_interval` has it of a threshold that is one of them.
    """
    from scipy.special import betaincinv

    rank = bisect_right(sorted(calibration), threshold)
    if not rank:  # below all of them: they say nothing
        return [0.0, 1.0]
    above, tail = len(calibration) + 1 - rank, (1 - confidence) / 2
    return [float(betaincinv(above, rank, end)) for end in (tail, 1 - tail)]


def _finish(begin: Begin, aliases: Aliases, entries: Sequence[Entry], *, actor: str) -> bool:
    rows = unfinished(entries)
    for row in rows:
        if aliases.has(row.model, row.body["version"]):  # else there is nothing left to tag
            _show(begin, aliases, row, actor=actor)
    return bool(rows)


def _show(begin: Begin, aliases: Aliases, row: Entry, *, actor: str, reason: str = "") -> None:
    aliases.tag(row.model, row.body["version"], THRESHOLD_TAG, tag_of(row))
    with begin() as transaction:
        body = {"move": row.seq, "aliases": {}, "threshold": row.body["to"], "reason": reason}
        transaction.append("confirmed", row.model, body, actor)
