"""Lines become deployments of a real Prefect server, and a worker runs what is due."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from patchae.registry.ledger import Ledger
from tests.support import write_class
from tests.support.plant import GATES, TINY, Plant
from tests.support.prefect_server import environment, run, until, worker

ALWAYS = {"cron": "* * * * *", "timezone": "UTC"}


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """A project of two lines; no images yet."""
    made = Plant(tmp_path / "works")
    made.lines = {
        "caps": {"classes": ["cap"], "training": TINY, "gates": GATES, "schedule": ALWAYS},
        "nuts": {"classes": ["nut"], "training": TINY, "gates": GATES},
    }
    made.write_lines()
    return made


def deploy(plant: Plant, api: str, *words: str, **more: str) -> dict[str, tuple[str, list[str]]]:
    """What `patchae deploy` did about the lines, by line."""
    done = run(plant, api, "deploy", "--json", *words, **more)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {
        one["name"]: (one["step"], one["differs"])
        for one in told["deployments"]
        if one["kind"] == "retrain"
    }


def test_lines_become_deployments_and_stay_what_they_are(plant: Plant, api: str) -> None:
    own = {"PATCHAE_PROJECT": "first"}
    assert deploy(plant, api, "--dry-run", **own) == {
        "caps": ("create", []),
        "nuts": ("create", []),
    }
    assert {step for step, _ in deploy(plant, api, **own).values()} == {"create"}
    assert {step for step, _ in deploy(plant, api, **own).values()} == {"keep"}
    plant.lines["caps"]["schedule"] = {"cron": "0 3 * * 1", "timezone": "Europe/Berlin"}
    plant.lines["nuts"]["work_pool"] = "gpu"
    plant.write_lines()
    assert deploy(plant, api, **own) == {
        "caps": ("change", ["schedule"]),
        "nuts": ("change", ["tags", "work pool"]),
    }
    del plant.lines["nuts"]
    plant.write_lines()
    # Nobody answers the question, so nothing is taken down.
    assert deploy(plant, api, **own) == {"caps": ("keep", [])}
    assert deploy(plant, api, "--prune", **own)["nuts"] == ("remove", [])
    assert deploy(plant, api, **own) == {"caps": ("keep", [])}
    other = run(plant, api, "deploy", PATCHAE_PROJECT="second")
    assert other.returncode == 2
    assert "not of this project" in other.stderr
    del plant.lines["caps"]
    plant.lines["bolts"] = {"classes": ["bolt"]}
    plant.write_lines()
    assert deploy(plant, api, "--prune", **own)["caps"] == ("remove", [])
    del plant.lines["bolts"]
    plant.lines["last"] = {"classes": ["bolt"]}
    plant.write_lines()
    deploy(plant, api, "--prune", **own)


def test_a_retention_is_one_deployment_of_the_project(plant: Plant, api: str) -> None:
    own = {"PATCHAE_PROJECT": "tidied"}

    def told(*words: str) -> dict[str, tuple[str, list[str]]]:
        done = run(plant, api, "deploy", "--json", *words, **own)
        assert done.returncode == 0, done.stderr
        of_all = json.loads(done.stdout.splitlines()[-1])["deployments"]
        return {
            one["name"]: (one["step"], one["differs"]) for one in of_all if one["kind"] == "tidy"
        }

    def policy(**keys: Any) -> None:
        lines = {"lines": {"cans": {"classes": ["can"]}}, **keys}
        plant.project.lines_file.write_text(yaml.safe_dump(lines))

    policy()
    assert told() == {}
    policy(retention={})
    assert told() == {"tidied": ("create", [])}
    assert told() == {"tidied": ("keep", [])}
    policy(retention={"schedule": {"cron": "0 5 * * 0"}, "work_pool": "home"})
    assert told() == {"tidied": ("change", ["schedule", "work pool"])}
    policy()
    assert told("--prune") == {"tidied": ("remove", [])}
    assert told() == {}


def test_a_worker_tidies_when_it_is_due(plant: Plant, api: str, tmp_path: Path) -> None:
    old = plant.project.state / "recent" / "caps.cap" / "2020-01-01" / "a.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"image")
    lines = {"lines": {"pans": {"classes": ["pan"]}}, "retention": {"schedule": ALWAYS}}
    plant.project.lines_file.write_text(yaml.safe_dump(lines))
    own = {"PATCHAE_PROJECT": "due", "PATCHAE_ACTOR": "the-worker"}
    assert run(plant, api, "deploy", **own).returncode == 0
    log = plant.project.state / "tidied.jsonl"
    with worker(api, tmp_path / "worker", **own):
        told = until(lambda: log.read_text().splitlines() if log.is_file() else [])
        begins = json.loads(told[0])
        assert (begins["kind"], begins["actor"]) == ("recent", "the-worker")
        until(lambda: [True] if not old.exists() else [])
    del lines["retention"]
    plant.project.lines_file.write_text(yaml.safe_dump(lines))
    assert run(plant, api, "deploy", "--prune", **own).returncode == 0


def test_a_hundred_lines(plant: Plant, api: str) -> None:
    plant.lines = {
        f"line{number:03d}": {
            "classes": [f"part{number}"],
            "schedule": ALWAYS | {"cron": "0 3 * * 1"},
        }
        for number in range(100)
    }
    plant.write_lines()
    assert {step for step, _ in deploy(plant, api).values()} == {"create"}
    assert [step for step, _ in deploy(plant, api).values()] == ["keep"] * 100
    plant.lines = {"last": {"classes": ["bolt"]}}
    plant.project.lines_file.write_text(yaml.safe_dump({"lines": {"single": {"classes": ["a"]}}}))
    assert sum(step == "remove" for step, _ in deploy(plant, api, "--prune").values()) == 100


def test_what_is_due_is_run_by_a_worker(plant: Plant, api: str, tmp_path: Path) -> None:
    """A really scheduled run, then one because new images arrived."""
    for number, name in enumerate(("cap", "nut"), 1):
        write_class(plant.project.data, name, seed=number)
    run(plant, api, "snapshot")
    plant.add_train("cap", 3)
    early = run(plant, api, "snapshot")
    assert early.returncode == 0, early.stderr
    assert "does not retrain line caps of this project: patchae deploy" in early.stderr
    deploy(plant, api)
    with worker(api, tmp_path / "worker"):
        reasons = until(lambda: _records(plant, "caps.cap"))
        assert reasons[0]["trigger"] == "schedule"
        assert reasons[0]["reason"] == "schedule * * * * * UTC"
        assert reasons[0]["started_by"] == "Prefect's scheduler"
        assert reasons[0]["prefect_deployment"] == "caps"
        assert reasons[0]["work_pool"] == "patchae"
        plant.add_train("nut", 4)
        done = run(plant, api, "snapshot")
        assert done.returncode == 0, done.stderr
        reasons = until(lambda: _records(plant, "nuts.nut"))
        assert reasons[0]["trigger"] == "new_data"
        assert reasons[0]["started_by"] == "automation patchae: reasons to retrain"
        assert "nut" in reasons[0]["reason"]
    assert plant.ledger.verify() == []


def test_one_command_serves_all_lines(plant: Plant, api: str) -> None:
    """Without a server, a pool or a worker; a Ctrl-C ends all of it."""
    write_class(plant.project.data, "cap", seed=1)
    own = environment(api)
    del own["PREFECT_API_URL"]
    log = plant.project.root / "serve.log"
    with log.open("wb") as output:
        serving = subprocess.Popen(
            [sys.executable, "-m", "patchae", "serve", "--port", "0"],
            cwd=plant.project.root,
            env=own,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A shell that starts tests in the background has them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
    try:
        (reason, *_) = until(lambda: _records(plant, "caps.cap"))
        until(lambda: "caps.cap: version 1 is champion" in log.read_text())  # as its run says it
        family = psutil.Process(serving.pid).children(recursive=True)
        assert reason["trigger"] == "schedule"
        assert reason["work_pool"] is None
    finally:
        serving.send_signal(signal.SIGINT)
        try:
            serving.wait(90)
        except subprocess.TimeoutExpired:
            serving.terminate()  # leave no server behind a test that fails
            raise
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert "Traceback" not in log.read_text()


def _records(plant: Plant, model: str) -> list[dict[str, Any]]:
    """The part `run` of the lineage record of every registered version of a model."""
    ledger = Ledger(plant.project.ledger)
    if not any(row.kind == "verdict" for row in ledger.entries(model)):
        return []
    found = []
    for row in ledger.entries(model, ["registered"]):
        (record,) = plant.project.mlflow.glob(f"artifacts/*/{row.body['run_id']}/**/lineage.json")
        found.append(json.loads(record.read_text())["run"])
    return found
