"""Sixteen processes promote different versions of one model at once, over and over."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

from patchae.config import Gates
from patchae.errors import PatchaeError
from patchae.registry.chain import Entry
from patchae.registry.gates import judge
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import promote
from patchae.registry.standing import champion_of, moves
from tests.support import examples
from tests.support.registry.memory import MODEL, evidence
from tests.support.registry.places import Place, children
from tests.support.registry.shared import SharedAliases

PROCESSES = 16
ROUNDS = examples(200)


def contend(place: Place, shared: Path, name: str, line: Connection) -> None:
    """What one process does: promote on each verdict that it is sent, and say what came of it."""
    ledger, aliases = place.ledger(), SharedAliases(shared)
    while verdict := line.recv():
        version = verdict.body["version"]
        try:
            promote(ledger, aliases, MODEL, version, verdict=verdict, actor=name)
        except PatchaeError as error:
            line.send(f"{type(error).__name__}: {error}")
        else:
            line.send("won")


def judged_together(ledger: Ledger, attempt: int) -> list[Entry]:
    """A verdict on a version for each process, against the champion of the moment."""
    champion = champion_of(ledger.entries(MODEL, ["move"])).current
    beside = {"champion_auroc": 0.97, "champion_version": champion} if champion else {}
    verdict = judge(evidence(**beside), Gates())
    with ledger.transaction() as transaction:
        return [
            transaction.append(
                "verdict",
                MODEL,
                verdict.to_body(f"{attempt * PROCESSES + number}", scores_sha256=""),
                "tester",
            )
            for number in range(PROCESSES)
        ]


def test_of_all_who_promote_at_once_exactly_one_wins(place: Place, tmp_path: Path) -> None:
    shared, ledger = tmp_path / "aliases.json", place.ledger()
    aliases, winners = SharedAliases(shared), []
    lines, workers = [], []
    for number in range(PROCESSES):
        here, there = children.Pipe()
        worker = children.Process(target=contend, args=(place, shared, f"p{number}", there))
        worker.start()
        there.close()
        lines.append(here)
        workers.append(worker)
    for attempt in range(ROUNDS):
        verdicts = judged_together(ledger, attempt)
        for line, verdict in zip(lines, verdicts, strict=True):
            line.send(verdict)
        told = [line.recv() for line in lines]
        assert told.count("won") == 1, told
        winner = told.index("won")
        winners.append(verdicts[winner].body["version"])
        who = f"p{winner} on "
        lost = [said for said in told if said != "won"]
        assert all(said.startswith("NegativeFinding: the verdict compared") for said in lost)
        assert all(who in said and f"promoted version {winners[-1]} at" in said for said in lost)
        previous = {"previous": winners[-2]} if len(winners) > 1 else {}
        assert aliases.get(MODEL) == {"champion": winners[-1], **previous}
    for line, worker in zip(lines, workers, strict=True):
        line.send(None)
        worker.join()
        assert worker.exitcode == 0
    entries = ledger.entries()
    assert ledger.verify() == []
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [move.body["to"] for move in moves(entries)] == winners
    assert [move.body["from"] for move in moves(entries)] == [None, *winners[:-1]]
    assert champion_of(entries).aliases() == aliases.get(MODEL)
    assert not [entry for entry in entries if entry.kind == "repair"]
