"""Processes that write to one ledger at the same time, and one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.support.registry.memory import move
from tests.support.registry.places import Place, side_by_side


def append_many(place: Place, actor: str, count: int) -> None:
    """What one process of the next test does."""
    for number in range(count):
        place.ledger().append("move", "m", move(str(number)), actor)


def test_processes_that_append_at_the_same_time_make_one_chain(place: Place) -> None:
    names = "abcdefghijklmnop"  # the tables are made by all of them at once, too
    assert not any(side_by_side(append_many, [(place, name, 5) for name in names]))
    entries = place.ledger().entries()
    assert place.ledger().verify() == []
    for name in names:
        own = [entry.body["to"] for entry in entries if entry.actor == name]
        assert own == [str(number) for number in range(5)]


WRITER = """
import sys
from tests.support.registry.places import Place, side_by_side
body = dict.fromkeys(["to", "from", "why", "reason", "verdict"])
while True:
    print(Place.of(sys.argv[1]).ledger().append("move", "m", body, "a").digest, flush=True)
"""


def test_a_killed_writer_leaves_every_row_that_it_was_promised(place: Place) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    promised = [writer.stdout.readline().strip() for _ in range(5)]
    writer.send_signal(signal.SIGKILL)
    promised += writer.stdout.read().split("\n")[:-1]
    writer.wait()
    writer.stdout.close()
    ledger = place.ledger()
    assert ledger.verify() == []
    digests = [entry.digest for entry in ledger.entries()]
    assert digests[: len(promised)] == promised
    ledger.append("move", "m", move("1"), "ann")
    assert ledger.verify() == []
