"""Trainings that are killed, cancelled or lost with their machine: one version, always."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support import write_class
from tests.support.plant import GATES, TINY, Plant
from tests.support.prefect_server import client_of, run, start, states, until, worker

LONG = {**TINY, "epochs": 1000, "damaged_images": 50_000}
"""Trains for longer than anybody looks."""
MIDDLING = {**TINY, "epochs": 200, "damaged_images": 300}


def plant(folder: Path, line: str, training: dict[str, object]) -> Plant:
    """A project of one line with one class."""
    made = Plant(folder / line)
    made.lines = {
        line: {"classes": ["cap"], "training": training, "gates": GATES, "work_pool": line}
    }
    made.write_lines()
    write_class(made.project.data, "cap", seed=1)
    return made


def training_of(made: Plant, line: str) -> bool:
    """Whether the class is being trained."""
    return any((made.project.work / f"{line}.cap").glob("*/*"))


def versions(made: Plant, line: str) -> int:
    """How many versions the ledger has of the class."""
    return len(made.ledger.entries(f"{line}.cap", ["registered"]))


def test_a_training_that_is_killed_is_sent_again(api: str, tmp_path: Path) -> None:
    made = plant(tmp_path, "killed", MIDDLING)
    assert run(made, api, "deploy").returncode == 0
    with worker(api, tmp_path / "worker", "killed") as machine:
        before = set(states(api, "train-class"))
        retraining = start(api, "retrain/killed")
        (child,) = until(lambda: set(states(api, "train-class")) - before)
        until(lambda: training_of(made, "killed"))
        process = until(lambda: machine.process_of(child))
        process.kill()
        until(lambda: states(api, "retrain")[retraining] in ("Completed", "Failed"))
    assert states(api, "retrain")[retraining] == "Completed"
    assert [state for one, state in states(api, "train-class").items() if one not in before] == [
        "Crashed",
        "Completed",
    ]
    assert versions(made, "killed") == 1
    assert made.ledger.verify() == []
    assert run(made, api, "audit", "--all").returncode == 0


def test_retry_on_prefects_pages_does_again_what_failed(api: str, tmp_path: Path) -> None:
    from prefect.states import AwaitingRetry

    made = plant(tmp_path, "retried", TINY)
    whole = made.spoil("cap")
    assert run(made, api, "deploy").returncode == 0
    with worker(api, tmp_path / "worker", "retried"):
        retraining = start(api, "retrain/retried")
        until(lambda: states(api, "retrain")[retraining] == "Failed")
        made.first_train("cap").write_bytes(whole)
        with client_of(api) as client:  # what the button does
            client.set_flow_run_state(retraining, AwaitingRetry())
        until(lambda: states(api, "retrain")[retraining] in ("Completed", "Failed"))
    assert states(api, "retrain")[retraining] == "Completed"
    assert versions(made, "retried") == 1


def test_cancelling_stops_the_training_and_registers_nothing(api: str, tmp_path: Path) -> None:
    from prefect.states import Cancelling

    made = plant(tmp_path, "cancelled", LONG)
    assert run(made, api, "deploy").returncode == 0
    with worker(api, tmp_path / "worker", "cancelled") as machine:
        before = set(states(api, "train-class"))
        retraining = start(api, "retrain/cancelled")
        (child,) = until(lambda: set(states(api, "train-class")) - before)
        until(lambda: training_of(made, "cancelled"))
        training = until(lambda: machine.process_of(child))
        began = time.monotonic()
        with client_of(api) as client:
            client.set_flow_run_state(retraining, Cancelling())
        until(lambda: not training.is_running(), patience=90)
        took = time.monotonic() - began
        until(lambda: states(api, "retrain")[retraining] == "Cancelled")
        until(lambda: states(api, "train-class")[child] == "Cancelled")
    print(f"the training was gone after {took:.1f} s")
    assert versions(made, "cancelled") == 0
    assert made.ledger.verify() == []


def test_a_machine_that_is_gone_is_noticed_and_its_work_done_elsewhere(
    api: str, tmp_path: Path
) -> None:
    """Worker, retraining and training die at once; only the server can notice."""
    made = plant(tmp_path, "lost", MIDDLING)
    assert run(made, api, "deploy").returncode == 0
    with worker(api, tmp_path / "first", "lost") as machine:
        before = set(states(api, "retrain"))
        retraining = start(api, "retrain/lost", reason="new lamp", trigger="drift")
        until(lambda: training_of(made, "lost"))
        machine.kill()
    with worker(api, tmp_path / "second", "lost"):
        until(lambda: states(api, "retrain")[retraining] == "Crashed")
        (second,) = until(lambda: set(states(api, "retrain")) - before - {retraining})
        until(lambda: states(api, "retrain")[second] in ("Completed", "Failed"))
    assert states(api, "retrain")[second] == "Completed"
    assert versions(made, "lost") == 1
    assert made.ledger.verify() == []
    (move,) = made.ledger.entries("lost.cap", ["move"])
    assert move.body["reason"] == "new lamp"
    assert run(made, api, "audit", "--all").returncode == 0
