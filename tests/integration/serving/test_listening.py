"""The port is taken first, and the service says that it serves when it does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from flows.server import free_port
from patchae.errors import UsageError
from patchae.project import Project
from patchae.serving.listening import bound, listen
from patchae.serving.running import Wish, serve
from tests.integration.serving.conftest import LENS
from tests.support import ROOT
from tests.support.plant import Works

TREE = ROOT


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port}: nothing can listen") as found:
            serve(Project(tmp_path), ["no.model"], Wish(port=port))
    assert "--port" in str(found.value)
    assert not (tmp_path / ".patchae").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_a_host_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="nothing can listen"), bound(host, free_port(0)):
        raise AssertionError("it was bound")


def test_nobody_connects_before_the_models_are_there() -> None:
    port = free_port(0)
    with bound("localhost", port) as sockets:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)
        listen(sockets)
        socket.create_connection(("127.0.0.1", port), timeout=10).close()


def test_when_it_says_that_it_serves_it_answers(works: Works) -> None:
    port = free_port(0)
    works.tracking()
    with subprocess.Popen(
        [sys.executable, "-m", "patchae", "serve-model", LENS, "--port", str(port)],
        cwd=works.plant.project.root,
        env={**os.environ, "PYTHONPATH": str(TREE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout
            said = ""
            for line in process.stdout:
                said += line
                if "serving at" in line:
                    break
            assert f"serving at http://127.0.0.1:{port}" in said, said
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60).text == "ok\n"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == 0
