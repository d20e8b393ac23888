"""Two runs of a class in one folder: the second waits, and finds it trained."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context

import pytest

from flows import alone as module
from flows import train_class
from flows.alone import alone
from flows.stopping import Stopped, stopping_with_the_flow
from flows.train_class import LineRun, train_and_judge
from patchae.dataset.version import snapshot
from patchae.errors import StoreBusy
from patchae.files import Progress
from patchae.steps import plan
from patchae.steps.announce import announcing
from patchae.steps.job import Origin
from patchae.steps.outcome import ClassOutcome
from tests.support.plant import Plant, job_of, only

PATIENCE_S = 120


@pytest.fixture
def awaited(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set as soon as a run says that it waits for another one."""
    found = threading.Event()
    monkeypatch.setattr(module, "say", lambda _: found.set())
    monkeypatch.setattr(module, "_LOOK_S", 0.05)
    return found


@pytest.fixture
def _two_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHAE_SLOTS", "2")
    monkeypatch.setattr(plan, "_slots", None)


@pytest.mark.usefixtures("prefect_server", "_two_places")
def test_what_two_runs_begin_at_once_is_trained_once(
    plant: Plant, awaited: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect import flow

    training: set[int] = set()

    def progress_of(_: str) -> Progress:
        def meet(what: str, done: int, total: int) -> None:
            """Who trains goes on when the other one waits for it, or trains as well."""
            if what.startswith("learning"):
                training.add(threading.get_ident())
                if len(training) == 2:
                    awaited.set()
                assert awaited.wait(PATIENCE_S)

        return meet

    monkeypatch.setattr(train_class, "progress_of", progress_of)
    line, tracking = plant.line("twice", "bolt"), plant.tracking()
    origin, version = Origin("on demand"), snapshot(plant.project).version

    @flow
    def run_of_a_class() -> ClassOutcome:
        with announcing(plant.project, line.name, origin) as announcer:
            run = LineRun(plant.project, line, version, tracking, origin, announcer)
            return train_and_judge(run, "bolt")

    with ThreadPoolExecutor(2) as pool:
        outcomes = [
            one.result()
            for one in [pool.submit(copy_context().run, run_of_a_class) for _ in range(2)]
        ]
    assert sorted(one.trained for one in outcomes) == [False, True]
    assert {(one.version, one.verdict, one.failed) for one in outcomes} == {("1", "promote", None)}
    assert len(training) == 1
    only(tracking.versions("twice.bolt"))


def test_a_run_that_is_stopped_waits_no_longer(plant: Plant, awaited: threading.Event) -> None:
    plant.line("stopped", "nut")
    job = job_of(plant.project, "stopped", "nut")

    def wait() -> None:
        with alone(job):
            raise AssertionError("another run has it")

    with ThreadPoolExecutor(1) as pool, alone(job):
        waiting = pool.submit(copy_context().run, wait)
        assert awaited.wait(PATIENCE_S)
        with suppress(KeyboardInterrupt), stopping_with_the_flow():
            raise KeyboardInterrupt
        with pytest.raises(Stopped):
            waiting.result(PATIENCE_S)


def test_a_store_that_is_busy_in_the_block_is_no_reason_to_wait(plant: Plant) -> None:
    plant.line("busy", "cog")
    with pytest.raises(StoreBusy, match="the ledger"), alone(job_of(plant.project, "busy", "cog")):
        raise StoreBusy("the ledger")
