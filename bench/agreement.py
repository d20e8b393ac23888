"""Whether the log of decisions and the ledger agree on who judged what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from patchae.predictions.record import Prediction
from patchae.registry.chain import Entry


@dataclass
class Reign:
    """One champion's time: from the row that named it to the row that named the next one."""

    version: str
    named: datetime
    over: datetime | None
    first_answer: datetime | None = None

    @property
    def followed_s(self) -> float | None:
        """Seconds until it answered; None: it never did."""
        return (self.first_answer - self.named).total_seconds() if self.first_answer else None


def reigns(decisions: Iterable[Prediction], moves: Sequence[Entry]) -> list[Reign]:
    """The champions of a model in their order, each with its first answer."""
    times = [datetime.fromisoformat(one.time) for one in moves]
    found = [
        Reign(one.body["to"], named, over)
        for one, named, over in zip(moves, times, [*times[1:], None], strict=True)
    ]
    for one in decisions:
        for reign in found:
            within = reign.named <= one.time and (reign.over is None or one.time < reign.over)
            if within and one.version == reign.version:
                reign.first_answer = min(one.time, reign.first_answer or one.time)
    return found


def disputed(decisions: Sequence[Prediction], moves: Sequence[Entry]) -> list[Prediction]:
    """Decisions of a version that was neither champion nor rightly still answering.

    Law: a version may answer while it is champion. It may go on until its successor has answered
    for the first time, and after that for requests that had come by then.
    """
    ruled = reigns(decisions, moves)
    wrong = []
    for one in decisions:
        came = one.time - timedelta(milliseconds=one.latency_ms)
        begun = [reign for reign in ruled if reign.named <= one.time]
        # Back from the champion of that moment, past those that had not answered when this came.
        while begun and begun[-1].version != one.version:
            last = begun.pop()
            if last.first_answer is not None and last.first_answer < came:
                wrong.append(one)
                break
        else:
            if not begun:
                wrong.append(one)
    return wrong
