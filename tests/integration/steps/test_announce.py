"""Events of a retraining: complete for whoever is configured, absent and harmless otherwise."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from patchae.console import logged_to
from patchae.project import Project
from patchae.steps import announce
from patchae.steps.announce import announcing
from patchae.steps.job import Origin
from tests.support import ROOT

FLOW = "0190c9f2-0000-7000-8000-000000000001"
VERSION = "1" * 32 + ".dir"


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What a person was told."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda line: lines.append(line.getMessage())  # type: ignore[method-assign]
    with logged_to(handler):
        yield lines


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Events go to this file."""
    path = tmp_path / "events.jsonl"
    transport = {"type": "file", "log_file_path": str(path), "append": True}
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(transport))
    return path


class Receiver(HTTPServer):
    """A receiver on this machine."""

    def __init__(self, status: int = 200, slow: float = 0) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.awake = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.got.append((self.path, json.loads(body)))
                server.awake.wait(slow)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("localhost", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_address[1]}"


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    server = Receiver(**getattr(request, "param", {}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.awake.set()
    server.shutdown()
    server.server_close()
    for one in threading.enumerate():  # what it still says belongs to this test
        if one.name == "openlineage":
            one.join(60)


def retrain(project: Project, *, fail: bool = False) -> None:
    """What the flow tells, without the work."""
    origin = Origin("on demand", flow_run_id=FLOW)
    with announcing(project, "sample", origin) as announcer:
        try:
            with announcer.of_class("sample.bolt", "bolt", VERSION) as news:
                float("a truncated image" if fail else "1")
                news.judged("sample.bolt", "3", "promote")
        except ValueError:
            raise RuntimeError("1 of 1 classes failed") from None


def required(event: dict[str, Any]) -> None:
    """The fields that the specification of OpenLineage asks for."""
    assert {"eventTime", "producer", "schemaURL", "run", "job", "eventType"} <= set(event)
    assert "T" in event["eventTime"]
    assert event["producer"].startswith("urn:patchae:")
    assert event["schemaURL"].startswith("https://openlineage.io/spec/")
    UUID(event["run"]["runId"])
    for named in (event["job"], *event["inputs"], *event["outputs"]):
        assert named["namespace"]
        assert named["name"]
    parts: Sequence[dict[str, Any]] = (
        event["run"],
        event["job"],
        *event["inputs"],
        *event["outputs"],
    )
    for part in parts:
        for facet in {**part["facets"], **part.get("inputFacets", {})}.values():
            assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
            assert facet["_producer"]


def events(file: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in file.read_text().splitlines()]
    for event in found:
        required(event)
    return found


def test_a_retraining_that_ends_well(project: Project, file: Path) -> None:
    retrain(project)
    found = events(file)
    assert [(one["job"]["name"], one["eventType"]) for one in found] == [
        ("retrain sample", "START"),
        ("train sample.bolt", "START"),
        ("train sample.bolt", "COMPLETE"),
        ("retrain sample", "COMPLETE"),
    ]
    assert {one["run"]["runId"] for one in (found[0], found[-1])} == {FLOW}
    done = found[2]
    assert done["run"]["runId"] == found[1]["run"]["runId"]
    assert done["run"]["facets"]["parent"]["run"] == {"runId": FLOW, "facets": {}}
    (images,), (made,) = done["inputs"], done["outputs"]
    assert (images["namespace"], images["name"]) == ("patchae.data", "bolt")
    assert images["facets"]["version"]["datasetVersion"] == VERSION
    assert (made["namespace"], made["name"]) == ("patchae.models", "sample.bolt")
    assert made["facets"]["version"]["datasetVersion"] == "3"
    assert "promote" in made["facets"]["documentation"]["description"]
    assert found[0]["eventTime"] <= found[-1]["eventTime"]


def test_a_retraining_that_fails_says_why_and_fails_all_the_same(
    project: Project, file: Path
) -> None:
    with pytest.raises(RuntimeError):
        retrain(project, fail=True)
    found = events(file)
    assert [one["eventType"] for one in found] == ["START", "START", "FAIL", "FAIL"]
    said = [one["run"]["facets"]["errorMessage"]["message"] for one in found[2:]]
    assert said == [
        "could not convert string to float: 'a truncated image'",
        "1 of 1 classes failed",
    ]


def test_the_repository_is_named_without_its_password(project: Project, file: Path) -> None:
    address = "https://ann:secret@git.example.org/plant.git"
    subprocess.run(["git", "remote", "add", "origin", address], cwd=project.root, check=True)
    retrain(project)
    assert "secret" not in file.read_text()
    place = events(file)[0]["job"]["facets"]["sourceCodeLocation"]
    assert place["url"] == "https://git.example.org/plant.git"
    assert len(place["version"]) == 40


def test_http_by_the_one_variable_that_everybody_knows(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    for _ in range(2):  # the client leaves its configuration in the environment, and we do not
        retrain(project)
    assert {path for path, _ in receiver.got} == {"/api/v1/lineage"}
    assert [event["eventType"] for _, event in receiver.got] == 2 * [
        *("START", "START", "COMPLETE", "COMPLETE")
    ]
    for _, event in receiver.got:
        required(event)


@pytest.mark.parametrize("receiver", [{"status": 500}], indirect=True)
def test_a_receiver_that_fails_is_one_warning_and_is_left_alone(
    project: Project, receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    retrain(project)
    assert len(said) == 1
    assert "OpenLineage" in said[0]
    assert len(receiver.got) == 1


def test_a_receiver_that_is_down_costs_next_to_nothing(
    project: Project, receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    retrain(project)  # what is imported for the first time is not the receiver's doing
    receiver.shutdown()
    receiver.server_close()
    started = time.monotonic()
    retrain(project)
    assert time.monotonic() - started < 2
    assert len(said) == 1


@pytest.mark.parametrize("receiver", [{"slow": 60}], indirect=True)
def test_a_receiver_that_hangs_is_not_waited_for(
    project: Project, receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    monkeypatch.setattr(announce, "PATIENCE_S", 0.2)
    started = time.monotonic()
    retrain(project)
    assert time.monotonic() - started < 2
    assert len(said) == 1


@pytest.mark.parametrize("setting", ["{", json.dumps({"type": "pigeon"})])
def test_a_configuration_that_cannot_be_used_is_one_warning(
    project: Project, said: list[str], monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", setting)
    retrain(project)
    assert len(said) == 1


@pytest.mark.parametrize("disabled", [False, True])
def test_off_nothing_is_imported_and_nothing_sent(project: Project, disabled: bool) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from tests.integration.steps.test_announce import retrain\n"
        "from patchae.project import Project\n"
        "for name in [n for n in sys.modules if n.startswith('openlineage')]:\n"
        "    raise SystemExit(name)\n"
        "retrain(Project(Path.cwd()))\n"
        "print([n for n in sys.modules if n.startswith('openlineage')])\n"
    )
    environment = {"PATH": "", "HOME": str(project.root), "PYTHONPATH": str(ROOT)}
    if disabled:
        environment |= {"OPENLINEAGE_URL": "http://localhost:9", "OPENLINEAGE_DISABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)],
        cwd=project.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
