"""What a worker does with classes of which some cannot begin, and what it tells of them."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client

from flows import workers
from patchae.dataset.dvc_repo import open_store
from patchae.dataset.version import read_listing, snapshot
from patchae.files import write_text
from patchae.project import Project
from patchae.steps.outcome import ClassOutcome, LineFailed
from patchae.steps.workplace import describe
from tests.support import write_class
from tests.support.plant import GATES, TINY, Plant
from tests.support.postgres import Server

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of two classes whose images are in a store that a worker reaches."""
    made = Plant(tmp_path / "home")
    made.lines = {"caps": {"classes": ["cap", "lid"], "training": TINY, "gates": GATES}}
    made.write_lines()
    (tmp_path / "store").mkdir()
    write_text(
        made.project.root / ".dvc" / "config",
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n",
    )
    for number, name in enumerate(("cap", "lid"), 1):
        write_class(made.project.data, name, seed=number)
    monkeypatch.setenv("PATCHAE_WORKPLACES", str(tmp_path / "places"))
    return made.project


@pytest.fixture
def shared(tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow and a ledger that the worker reaches."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("PATCHAE_LEDGER_URL", postgres.new())


@pytest.mark.usefixtures("shared")
def test_a_class_whose_images_cannot_be_had_stops_no_other(home: Project, tmp_path: Path) -> None:
    version = snapshot(home).version
    with open_store(home) as store:
        md5 = read_listing(store, home, version)["lid/train/good/000.png"]
    (stored,) = (tmp_path / "store").rglob(f"{md5[:2]}/{md5[2:]}")
    stored.unlink()
    state = workers.train_class(
        line_name="caps",
        classes=["cap", "lid"],
        data_version=version,
        root=None,
        project=describe(home),
        name="caps",
        return_state=True,
    )
    failure = state.result(raise_on_failure=False)
    assert isinstance(failure, LineFailed)
    with get_client(sync_client=True) as client:
        found = workers.told(client, state.state_details.flow_run_id)
    assert md5 in str(found.pop("lid").failed)
    assert {name: one.verdict for name, one in found.items()} == {"cap": "promote"}


class Health(BaseHTTPRequestHandler):
    """An MLflow that starts again: unwell when asked first, and without experiments."""

    asked = 0

    def do_GET(self) -> None:
        """Its health."""
        type(self).asked += 1
        self._answer(503 if self.asked == 1 else 200)

    def do_POST(self) -> None:
        """A search."""
        self._answer(200)

    def _answer(self, code: int) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_a_store_that_starts_again_is_waited_for(
    home: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        connect = workers.connect.with_options(retry_delay_seconds=0)
        assert connect(home).uri.endswith(str(server.server_port))
        server.shutdown()
    assert Health.asked == 2


def test_outcomes_are_found_among_any_number_of_notes() -> None:
    """Prefect tells no more than 200 artifacts at once, and in no order."""
    outcome = ClassOutcome("cap", "caps.cap", failed="no light")
    rows = json.dumps([outcome.to_dict() | {"because": ""}])
    notes = [SimpleNamespace(type="markdown", key=f"verdict-{n}", data="") for n in range(200)]

    class Client:
        """As Prefect's server answers."""

        def read_artifacts(self, artifact_filter: Any) -> list[Any]:
            """At most 200 of the kinds that are asked for."""
            kinds = artifact_filter.type.any_ if artifact_filter.type else ["markdown", "table"]
            table = SimpleNamespace(type="table", key="caps-classes", data=rows)
            return [one for one in [*notes, table] if one.type in kinds][:200]

    assert workers.told(cast(Any, Client()), uuid4()) == {"cap": outcome}
