"""What `patchae doctor` asks servers, and what it says of addresses that are none of theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from mlflow.server.handlers import _list_artifacts_mlflow_artifacts
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.connection import server as prefect_server
from patchae import servers
from patchae.dataset.dvc_config import remote_address
from patchae.errors import ConfigError, StoreUnreachable
from patchae.health import checks
from patchae.project import Project

LIVE = {"patchae", "hall-3"}
"""The work pools that have a worker."""


class _Prefect(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        pool = self.path.split("/")[-3]
        body = json.dumps([{"status": "ONLINE"}] if pool in LIVE else []).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_response(404)  # it wants no token before a POST
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Pages(BaseHTTPRequestHandler):
    """Gives a page for people, whatever is asked; but MLflow's version."""

    def do_GET(self) -> None:
        asked = self.path == "/version"
        body = version("mlflow").encode() if asked else b"<!doctype html><title>Hello</title>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the base class calls

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def pages() -> Iterator[str]:
    """The address of a server that is nobody's API."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def _prefect() -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Prefect) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{server.server_port}/api"}):
            yield
        server.shutdown()


@pytest.mark.usefixtures("_prefect")
@pytest.mark.parametrize(
    ("text", "idle"),
    [
        ("lines: {one: {classes: all}}", None),
        ("lines: {one: {classes: all, data_pool: hall-3}}", None),
        ("lines: {one: {classes: all, work_pool: gpu}}", "gpu"),
        ("lines: {one: {classes: all, data_pool: hall-4}}", "hall-4"),
        ("lines: {one: {classes: all}}\nretention: {work_pool: keeper}", "keeper"),
    ],
)
def test_every_pool_that_a_run_goes_to_has_a_worker(
    project: Project, text: str, idle: str | None
) -> None:
    project.lines_file.write_text(text)
    told = checks(prefect_server())["workers"](project)
    assert told is not None
    state, detail, mend = told
    assert state == ("fail" if idle else "ok")
    if idle:
        assert f"{idle}: 0 live" in detail
        assert f"--pool {idle}" in mend


@pytest.mark.parametrize(
    ("check", "variable", "says"),
    [
        ("prefect", "PREFECT_API_URL", "ends with /api"),
        ("workers", "PREFECT_API_URL", "ends with /api"),
        ("mlflow", "MLFLOW_TRACKING_URI", "the server's own address"),
    ],
)
def test_an_address_where_a_page_answers_is_said(
    project: Project,
    pages: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    check: str,
    variable: str,
    says: str,
) -> None:
    """As Prefect's does where `/api` is missing at the end."""
    monkeypatch.setenv(variable, pages)
    with temporary_settings({PREFECT_API_URL: pages}):
        look = checks(prefect_server())[check]
        with pytest.raises(StoreUnreachable, match=r"is not (Prefect|MLflow)'s API") as raised:
            look(project)
    assert says in str(raised.value.mend)


class _PastIt(_Pages):
    """An MLflow server whose clients go to the store of artifacts themselves, or cannot."""

    says = ""

    def do_GET(self) -> None:
        if "mlflow-artifacts" not in self.path and self.path != "/version":
            body = b"{}"
        elif self.path == "/version":
            body = version("mlflow").encode()
        else:
            body = self.says.encode()
        self.send_response(503 if "mlflow-artifacts" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("refuses", [_list_artifacts_mlflow_artifacts, None])
def test_a_server_that_serves_no_artifacts_is_no_broken_one(
    project: Project, monkeypatch: pytest.MonkeyPatch, refuses: Any
) -> None:
    """It says so in MLflow's own words; another 503 stays a finding."""
    says = "no such bucket"
    if refuses is not None:
        monkeypatch.delenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", raising=False)
        with Flask("mlflow").test_request_context("/api/2.0/mlflow-artifacts/artifacts"):
            answer = refuses()
        assert answer.status_code == 503
        says = answer.get_data(as_text=True)
    told = type("Told", (_PastIt,), {"says": says})
    with ThreadingHTTPServer(("127.0.0.1", 0), told) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        try:
            if refuses is None:
                with pytest.raises(StoreUnreachable, match="cannot read its store of artifacts"):
                    servers.mlflow_server()
            else:
                assert "artifacts go past the server" in str(servers.mlflow_server())
        finally:
            server.shutdown()


REMOTE = """[core]
    remote = far
['remote "far"']
    url = {url}
"""


@pytest.mark.parametrize(
    ("url", "there"),
    [("s3://bucket/100%", "s3://bucket/100%"), ("https://ann:p%40ss@example.org/dvc", None)],
)
def test_an_address_may_hold_what_python_takes_for_a_reference(
    project: Project, url: str, there: str | None
) -> None:
    configure(project, REMOTE.format(url=url))
    assert remote_address(project) == there


@pytest.mark.parametrize(
    ("text", "line"),
    [("remote = far\n", 1), ("[core]\n\n    secret_key abc\n", 3), ("[core]\n[core]\n", 2)],
)
def test_a_configuration_that_is_none_is_said_without_what_stands_there(
    project: Project, text: str, line: int
) -> None:
    configure(project, text)
    with pytest.raises(ConfigError, match="DVC's configuration cannot be read") as raised:
        checks(None)["data"](project)
    assert str(raised.value.where).endswith(f".dvc/config, line {line}")
    assert "abc" not in str(raised.value)
    assert checks(None)["clock"](project) is None


def test_so_is_one_that_is_no_text(project: Project) -> None:
    configure(project, "")
    (project.root / ".dvc" / "config.local").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as raised:
        checks(None)["data"](project)
    assert str(raised.value.where).endswith("config.local")


def configure(project: Project, text: str) -> None:
    """Write DVC's configuration."""
    file = project.root / ".dvc" / "config"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
