"""What `patchae doctor` asks Prefect about the workers of a project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from patchae.health import CHECKS
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

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def _prefect(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Prefect) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
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
    told = CHECKS["workers"](project)
    assert told is not None
    state, detail, mend = told
    assert state == ("fail" if idle else "ok")
    if idle:
        assert f"{idle}: 0 live" in detail
        assert f"--pool {idle}" in mend
