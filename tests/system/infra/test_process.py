"""A server of the stack beside a stranger that has its port: only our own one counts as started."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from infra.stack import process, whole
from infra.stack.process import Service
from patchae.errors import StoreUnreachable


class _Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A server that has its port and does not answer yet."""
    with HTTPServer(("127.0.0.1", 0), _Stranger, bind_and_activate=False) as found:
        found.server_bind()
        yield found


@pytest.fixture
def stranger(server: HTTPServer) -> Iterator[HTTPServer]:
    """One that answers."""
    server.server_activate()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


def service(server: HTTPServer, says: str) -> Service:
    """A server of ours on that port, as a Python program."""
    url = f"http://127.0.0.1:{server.server_address[1]}"
    program = [sys.executable, "-c", says]
    return Service("prefect", program, ready=lambda: process.answers(url), where=url)


def test_nothing_is_started_on_a_port_where_a_stranger_answers(
    tmp_path: Path, stranger: HTTPServer
) -> None:
    ours = service(stranger, "")
    with pytest.raises(StoreUnreachable, match=f"something else answers at {ours.where}"):
        process.start(tmp_path, ours)
    assert process.alive(tmp_path, "prefect") is None


def test_a_stranger_that_came_first_after_all_is_not_taken_for_ours(
    tmp_path: Path, server: HTTPServer, request: pytest.FixtureRequest
) -> None:
    ours = service(server, "raise SystemExit('address in use')")
    assert process.start(tmp_path, ours)
    ended = process.alive(tmp_path, "prefect")
    if ended is not None:
        psutil.wait_procs([ended], timeout=60)
    request.getfixturevalue("stranger")
    with pytest.raises(StoreUnreachable, match="prefect ended at once; something else answers"):
        process.wait(tmp_path, [ours])


def test_memory_is_told_where_the_system_counts_no_shared_part() -> None:
    """As on macOS."""
    assert whole.own_memory(SimpleNamespace(uss=5, rss=9)) == 5
    assert whole.own_memory(SimpleNamespace(uss=5, rss=9, pss=7)) == 7
