"""A Prefect server of one's own: started on loopback, waited for, and always stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from patchae.errors import StoreUnreachable
from patchae.files import touch

DATABASE = "prefect.db"
"""In the home of a server that has no other."""
PORT = 4200
"""Where people look for Prefect's pages."""
_PATIENCE = 180
"""Seconds until a server must answer; the first start makes its database."""
_GRACE = 30


def free_port(wanted: int = PORT) -> int:
    """The port wanted, or another one that nothing listens on."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("unreachable: the system always has a free port")


@contextmanager
def prefect_server(home: Path, port: int, *, pages: bool = True) -> Iterator[str]:
    """Run a server for the length of the block; yields the URL of its API.

    Args:
        home: folder of its database and log; made if need be.
        port: on loopback.
        pages: whether it shows its pages at the same port.

    Raises:
        StoreUnreachable: it does not start.
    """
    home.mkdir(parents=True, exist_ok=True)
    touch(home / DATABASE)
    log = home / "server.log"
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "prefect", "server", "start"]
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--host", "127.0.0.1", "--port", str(port), "--ui" if pages else "--no-ui"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C at the terminal stops what runs on it first
        )
    try:
        _wait(f"http://127.0.0.1:{port}/api/health", server, log)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        _stop(server)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.25)
    raise StoreUnreachable(
        "Prefect's server does not start",
        where=str(log),
        mend="look into that file; another port may be free: --port",
    )


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
