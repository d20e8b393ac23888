"""What happens around a training: no network, a full disk, two workers that start the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from patchae.dataset.pin import read_pin
from patchae.registry.ledger import Ledger
from patchae.registry.ledger_postgres import ServerStore
from patchae.steps.workplace import describe
from tests.support import write_class
from tests.support.clocks import clock_ahead
from tests.support.plant import TINY, Plant
from tests.support.postgres import Server
from tests.support.prefect_server import client_of, run, spawn, start, states, until, worker
from tests.support.proxy import Proxy
from tests.system.stories.test_faults import MIDDLING, plant, training_of, versions

CUT_S = 30


def whole(made: Plant, line: str) -> None:
    """One version, and everything behind it holds."""
    assert versions(made, line) == 1
    assert made.ledger.verify() == []
    audit = spawn(made, "", "audit", "--all")
    assert audit.returncode == 0, audit.stdout


def test_the_network_is_cut_for_half_a_minute(api: str, tmp_path: Path) -> None:
    made = plant(tmp_path, "cut", MIDDLING)
    assert run(made, api, "deploy").returncode == 0
    port = urlsplit(api).port
    assert port
    with Proxy(port) as network:
        far = api.replace(str(port), str(network.port))
        with worker(far, tmp_path / "worker", "cut"):
            retraining = start(api, "retrain/cut")
            until(lambda: training_of(made, "cut"))
            network.cut()
            time.sleep(CUT_S)
            network.mend()
            until(lambda: _ended(api, retraining))
    # What was sent before the cut goes on, or a run that lost the server is started again.
    assert "Completed" in states(api, "retrain").values()
    whole(made, "cut")


def _ended(api: str, retraining: str) -> bool:
    """Whether a retraining, or the one that was started instead of it, is done."""
    found = states(api, "retrain")
    if found[retraining] == "Crashed":
        return any(state in ("Completed", "Failed") for state in found.values())
    return found[retraining] in ("Completed", "Failed")


def test_two_workers_that_are_given_the_same_class_make_one_version(
    api: str, tmp_path: Path
) -> None:
    made = plant(tmp_path, "twice", MIDDLING)
    assert run(made, api, "deploy").returncode == 0
    assert run(made, api, "snapshot").returncode == 0
    pinned = read_pin(made.project.data_dvc)
    assert pinned
    asked = {
        "line_name": "twice",
        "classes": ["cap"],
        "data_version": pinned,
        "root": str(made.project.root),
        "project": describe(made.project),
        "name": "twice",
    }
    # Each has a place of its own, as two machines have.
    own = [{"CUDA_VISIBLE_DEVICES": str(number), "PATCHAE_DEVICE": "cpu"} for number in range(2)]
    with (
        worker(api, tmp_path / "one", "twice", limit=1, **own[0]) as one,
        worker(api, tmp_path / "two", "twice", limit=1, **own[1]) as two,
    ):
        both = [start(api, "train-class/twice", **asked) for _ in range(2)]
        until(lambda: one.processes() and two.processes())
        until(lambda: all(states(api, "train-class")[run_id] in _ENDS for run_id in both))
    found = states(api, "train-class")
    assert [found[run_id] for run_id in both] == ["Completed", "Completed"]
    whole(made, "twice")


_ENDS = ("Completed", "Failed", "Crashed")


def test_a_worker_whose_clock_is_an_hour_ahead_dates_by_that_of_the_ledger(
    api: str, tmp_path: Path, postgres: Server
) -> None:
    made = plant(tmp_path, "late", TINY)
    place = {"PATCHAE_LEDGER_URL": postgres.new()}
    ledger = Ledger(ServerStore(place["PATCHAE_LEDGER_URL"]))
    assert run(made, api, "deploy", **place).returncode == 0
    before = datetime.now(UTC)
    wrong = clock_ahead(tmp_path, 3600)
    with worker(api, tmp_path / "worker", "late", **place, **wrong):
        retraining = start(api, "retrain/late")
        until(lambda: states(api, "retrain")[retraining] in _ENDS)
    assert states(api, "retrain")[retraining] == "Completed"
    rows = ledger.entries()
    assert [row.kind for row in rows] == ["registered", "verdict", "move", "confirmed"]
    after = datetime.now(UTC)
    assert all(before <= datetime.fromisoformat(row.time) <= after for row in rows)
    # A machine whose clock is right goes on after it.
    write_class(made.project.data, "cap", train_good=50, seed=99)
    again = spawn(made, "", "retrain", "late", **place)
    assert again.returncode in (0, 1), again.stderr
    audit = spawn(made, "", "audit", "--all", **place)
    assert audit.returncode == 0, audit.stdout
    assert "late.cap/2" in audit.stdout
    assert ledger.verify() == []


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", disk], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=False)


def test_a_full_disk_is_said_and_the_same_run_ends_well_once_there_is_room(
    full: Path, tmp_path: Path
) -> None:
    """While it trains, nothing more can be written."""
    made = plant(tmp_path, "full", {**MIDDLING, "epochs": 1})
    state = {"PATCHAE_STATE": str(full / "state")}
    assert spawn(made, "", "snapshot", **state).returncode == 0
    stuffing = full / "stuffing"
    with stuffing.open("wb") as file:
        room = shutil.disk_usage(full).free
        file.write(bytes(max(0, room - 64_000)))
    failed = spawn(made, "", "retrain", "full", **state)
    assert failed.returncode != 0
    assert "No space left" in failed.stderr or "disk is full" in failed.stderr, failed.stderr
    assert "Traceback" not in failed.stderr, failed.stderr
    stuffing.unlink()
    again = spawn(made, "", "retrain", "full", **state)
    assert again.returncode == 0, again.stderr
    status = spawn(made, "", "audit", "--all", **state)
    assert status.returncode == 0, status.stdout
    assert "full.cap/1" in status.stdout
    assert "full.cap/2" not in status.stdout


def test_a_cut_network_refuses_and_a_mended_one_passes_on(api: str) -> None:
    """The proxy does what it says."""
    port = urlsplit(api).port
    assert port
    with Proxy(port) as network:
        near = api.replace(str(port), str(network.port))
        with client_of(near) as client:
            assert client.hello().status_code == 200
        network.cut()
        import httpx

        with pytest.raises(httpx.TransportError):
            httpx.get(f"{near}/health")
        network.mend()
        assert httpx.get(f"{near}/health", timeout=60).status_code == 200
