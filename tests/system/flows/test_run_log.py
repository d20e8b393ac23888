"""What a person reads on Prefect's page of a run, and in the lineage of what it made."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.monitor import monitor
from flows.score import score
from flows.tidy import tidy
from patchae.errors import NegativeFinding
from tests.support import write_class, write_image
from tests.support.plant import GATES, TINY, Plant
from tests.support.prefect_server import client_of, run, spawn, start, states, until, worker

NIGHTLY = {"cron": "0 3 * * 1", "timezone": "Europe/Berlin"}
ENDS = ("Completed", "Failed", "Crashed")


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """A line of two classes, one of which has an image that cannot be read."""
    made = Plant(tmp_path / "works")
    caps = {"classes": ["cap", "lid"], "training": TINY, "gates": GATES, "schedule": NIGHTLY}
    made.lines = {"caps": caps}
    made.write_lines()
    for seed, name in enumerate(caps["classes"], 1):
        write_class(made.project.data, str(name), seed=seed)
    made.spoil("lid")
    return made


def test_the_page_of_a_run_tells_its_story(plant: Plant, api: str, tmp_path: Path) -> None:
    """A run that a person starts on the page of a line that has a schedule, too."""
    assert run(plant, api, "deploy").returncode == 0
    quiet = {"PREFECT_LOGGING_LEVEL": "INFO"}
    with worker(api, tmp_path / "worker", **quiet):
        begun = start(api, "retrain/caps")
        until(lambda: states(api, "retrain")[begun] in ENDS)
        log = until(lambda: _whole_log(api))
    assert states(api, "retrain")[begun] == "Failed"
    told = [line.message for line in log]
    assert "line caps: cap, lid; person: on demand" in told
    for step in (
        "data version ",
        "cap: 46 checks passed: 24 images in train/good, 6 good and 6 defective ones in test/",
        "cap: trained in ",
        "cap: image AUROC 1.000 (0.689 to 1.000)",
        "cap: version 1 of caps.cap is registered",
        "caps.cap: version 1 is champion",
        "cap: promote, version 1: image AUROC 1.000 (0.689 to 1.000) reaches 0.600",
        "report: ",
    ):
        assert any(text.startswith(step) for text in told), step
    (trained,) = [line for line in log if line.message.startswith("cap: trained in ")]
    assert trained.task_run_id, "it stands at the task, too"
    of_line = [line for line in log if str(line.flow_run_id) == begun]
    assert any(line.message.startswith("cap: promote") for line in of_line)
    (failed,) = [line for line in of_line if line.message.startswith("lid: failed: ")]
    assert failed.level == logging.ERROR
    assert "to mend: mend or remove these images" in failed.message
    printed = (tmp_path / "worker" / "worker.log").read_text()
    assert "cap: trained in " in printed
    assert "cap: promote, version 1" in printed
    assert _lineage(plant)["trigger"] == "person"
    assert _lineage(plant)["reason"] == "on demand", "and not the line's schedule"
    assert _lineage(plant)["started_by"] is None, "a server without accounts knows nobody"


def test_a_command_shows_nothing_twice(plant: Plant, api: str) -> None:
    """The log goes to Prefect all the same."""
    done = spawn(plant, api, "retrain", "caps", "--class", "cap", "--reason", "new lamp")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cap: promote, version 1") == 1
    assert "trained in" not in done.stderr, "the table says what came of it"
    begun = [one for one in _runs(api) if one.deployment_id is None]
    told = until(lambda: _log_of(api, begun[0].id, "report: "))
    assert sum(line.message.startswith("cap: promote, version 1") for line in told) == 1
    assert any(line.message.endswith("person: new lamp, started by tester") for line in told)
    assert _lineage(plant)["started_by"] == "tester"
    _flows_about_a_champion(plant, api)


def _flows_about_a_champion(plant: Plant, api: str) -> None:
    """Batches, looks for drift and tidying tell theirs, too."""
    root, inbox = plant.project.root, plant.project.root / "inbox"
    write_image(inbox / "1.png", 1)
    (inbox / "Thumbs.db").touch()
    with temporary_settings({PREFECT_API_URL: api}):
        told = score(model="caps.cap", source=str(inbox), out=root / "out", root=root)
        assert (told["images"], told["unreadable"]) == (1, 0)
        (inbox / "2.heic").touch()
        with pytest.raises(NegativeFinding, match="type HEIC is not read"):
            score(model="caps.cap", source=str(inbox), out=root / "out", root=root)
        assert monitor(line_name="caps", root=root) == []
        tidy(root=root)
    for flow, line in {
        "score": "caps.cap/1: 1 images, ",
        "monitor": "caps.cap: ",
        "tidy": "tidied: ",
    }.items():
        for begun in states(api, flow):
            assert until(lambda begun=begun, line=line: _log_of(api, begun, line)), flow  # type: ignore[misc]


def _runs(api: str) -> list[Any]:
    with client_of(api) as client:
        return list(client.read_flow_runs())


def _whole_log(api: str) -> list[Any]:
    """Every line of every run, once the run of the line has said where its report is."""
    with client_of(api) as client:
        log = list(client.read_logs())
    return log if any(line.message.startswith("report: ") for line in log) else []


def _log_of(api: str, run_id: UUID | str, last: str) -> list[Any]:
    """The lines of a run, once there is one that begins so."""
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    with client_of(api) as client:
        log = list(
            client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(str(run_id))])))
        )
    return log if any(line.message.startswith(last) for line in log) else []


def _lineage(plant: Plant) -> dict[str, Any]:
    """The part `run` of the only lineage record."""
    (record,) = plant.project.mlflow.glob("artifacts/**/lineage.json")
    found: dict[str, Any] = json.loads(record.read_text())["run"]
    return found
