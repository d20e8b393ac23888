"""Killed at any moment, the same command ends in the state of a run that was not killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from patchae.dataset.readers import require_unread
from patchae.errors import StoreBusy
from patchae.lineage.gather import audit_model
from patchae.registry.tracking import Tracking
from tests.support import ROOT, clean
from tests.support.crashes import MOMENTS, TRAINED
from tests.support.dying import DEAD
from tests.support.plant import Plant, learned, only, runs, steps

REPOSITORY = ROOT
PATIENCE_S = 240


@pytest.fixture(scope="module")
def died(plant: Plant) -> dict[str, int]:
    """Exit code of the process that was to die, by moment."""
    plant.line("crash", *MOMENTS)
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        plant.validate("crash")  # so that no process has to import Great Expectations
        plant.tracking()
        for moment in TRAINED:  # nor to train again
            learned(plant.project, "crash", moment)
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.crashes", str(plant.project.root)],
            cwd=REPOSITORY,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
        )
    lines = (line.split() for line in done.stdout.splitlines())
    return {words[0]: int(words[1]) for words in lines if words and words[0] in MOMENTS}


@pytest.fixture(scope="module")
def tracking(plant: Plant, died: dict[str, int]) -> Tracking:
    """MLflow of the project, after all deaths."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        return plant.tracking()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_class_that_died_ends_like_one_that_did_not(
    plant: Plant, died: dict[str, int], tracking: Tracking, moment: str
) -> None:
    assert died[moment] == DEAD
    model = f"crash.{moment}"
    verdict = steps(plant.project, "crash", moment, tracking)
    assert verdict.body["outcome"] == "promote"

    kinds = [entry.kind for entry in plant.ledger.entries(model)]
    last = "repair" if moment == "moved" else "confirmed"
    assert kinds == ["registered", "verdict", "move", last]
    version = only(tracking.versions(model))
    assert version.version == "1"
    assert tracking.aliases.get(model) == {"champion": "1"}
    ended = {run.info.run_id: run.info.status for run in runs(tracking, "crash", moment)}
    assert ended.pop(version.run_id) == "FINISHED"
    assert set(ended.values()) <= {"KILLED"}  # what was half-done says so
    audit = audit_model(plant.project, tracking, model)
    assert (audit.broken, audit.not_checkable) == ((), ())
    assert [path.name for path in (plant.project.work / model).rglob(".*.draft")] == []
    assert steps(plant.project, "crash", moment, tracking) == verdict
    assert len(plant.ledger.entries(model)) == 4


def test_kill_9_while_the_second_class_trains(plant: Plant) -> None:
    plant.line("slow", "large", "small", training={"epochs": 300})
    plant.add_train("large", 130)
    plant.validate("slow")
    command = [sys.executable, "-m", "patchae", "retrain", "slow", "--json"]

    with started(plant, command) as process:
        until(lambda: bool(plant.ledger.entries("slow.small")), process)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        first = plant.ledger.entries("slow.small")[0]
        assert plant.ledger.entries("slow.large") == []  # it was still being trained

        # At once: the server of the killed process may still be there.
        with started(plant, command) as again:
            assert again.wait(PATIENCE_S) == 0, said(plant)
        until(lambda: not alive(process.pid))  # nothing of the killed one is left behind
    told = {one["class"]: one for one in json.loads(said(plant).splitlines()[-1])["models"]}
    assert (told["small"]["trained"], told["large"]["trained"]) == (False, True)

    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        tracking = plant.tracking()
        for name in ("small", "large"):
            model = f"slow.{name}"
            version = only(tracking.versions(model))
            kinds = [entry.kind for entry in plant.ledger.entries(model)]
            assert kinds[:3] == ["registered", "verdict", "move"]
            assert kinds[3:] in (["confirmed"], ["repair"])
            assert only(runs(tracking, "slow", name)).info.run_id == version.run_id
            assert only(runs(tracking, "slow", name)).info.status == "FINISHED"
            audit = audit_model(plant.project, tracking, model)
            assert (audit.state, audit.not_checkable) == ("intact", ())
    assert plant.ledger.entries("slow.small")[0] == first
    assert plant.ledger.verify() == []


def test_ctrl_c_at_the_terminal_ends_a_retraining_and_nothing_else(plant: Plant) -> None:
    plant.line("long", "endless", training={"epochs": 300})
    plant.add_train("endless", 130)
    plant.validate("long")
    command = [sys.executable, "-m", "patchae", "retrain", "long"]

    with started(plant, command) as process:
        until(lambda: "data version" in said(plant), process)
        until(lambda: _hinders_a_change(plant, "endless"), process)
        assert f"process {process.pid} " in _hinders_a_change(plant, "endless")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: also the server hears it
        assert process.wait(PATIENCE_S) == 130, said(plant)
        until(lambda: not alive(process.pid))
    assert "patchae: interrupted; the same command continues" in said(plant)
    assert "Traceback" not in said(plant)
    assert plant.ledger.entries("long.endless") == []
    assert not _hinders_a_change(plant, "endless"), "who is gone reads nothing"


def _hinders_a_change(plant: Plant, class_name: str) -> str:
    """Why no command may change the images of a class now; empty: nothing hinders it."""
    try:
        require_unread(plant.project, [class_name])
    except StoreBusy as busy:
        return busy.what
    return ""


@contextmanager
def started(plant: Plant, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process and whatever it starts; nothing of it outlives the block."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    # A server that outlives its parent keeps a pipe open: the output goes to a file.
    with output(plant).open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=plant.project.root,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**kept, "PATCHAE_SLOTS": "2"},
            start_new_session=True,
            # Whoever starts the tests in the background has them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        try:
            yield process
        finally:
            # The group outlives its first process while the server is in it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def output(plant: Plant) -> Path:
    """What the last started process said."""
    return plant.project.root.parent / "output.txt"


def said(plant: Plant) -> str:
    """What the last started process said, as text."""
    return output(plant).read_text(errors="replace")


def alive(group: int) -> bool:
    """Whether any process of a group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def until(happened: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for something that happens while the process runs."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert process is None or process.poll() is None, "it ended before"
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
