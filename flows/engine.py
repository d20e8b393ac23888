"""Reach Prefect before a flow starts, and leave nothing of it behind.

With `PREFECT_API_URL` that is a server somewhere; without, Prefect starts one of its own for this
process and stops it at the end. A process that is killed with `kill -9` has no end, so a small
guard outlives it by a moment and stops that server.
"""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from patchae.errors import StoreUnreachable

_SERVER = "prefect.server.api.server"
_GUARD = """
import os, signal, sys
sys.stdin.read()  # ends when the process that holds the other end is gone, however it went
import psutil
try:
    server = psutil.Process(int(sys.argv[1]))
    if any(sys.argv[2] in part for part in server.cmdline()):
        server.terminate()
except psutil.Error:
    pass  # it was stopped as it should be
"""
_guards: dict[int, subprocess.Popen[bytes]] = {}


def reach_prefect() -> None:
    """Connect to Prefect, starting its ephemeral server where no other is named.

    Raises:
        StoreUnreachable: the server does not answer or does not start.
    """
    import httpx
    from prefect.client.orchestration import get_client

    where = os.environ.get("PREFECT_API_URL") or "the server that Prefect starts by itself"
    try:
        with get_client(sync_client=True) as client:
            problem = client.api_healthcheck()
    except (RuntimeError, httpx.HTTPError, OSError) as error:
        problem = error
    if problem is not None:
        why = str(problem).partition("\n")[0] or type(problem).__name__
        raise StoreUnreachable(
            f"Prefect cannot be used: {why}",
            where=where,
            mend="start the server or correct PREFECT_API_URL; unset it for the embedded one",
        )
    _guard_servers()


def _guard_servers() -> None:
    for child in psutil.Process().children():
        if child.pid in _guards:
            continue
        try:
            ours = any(_SERVER in part for part in child.cmdline())
        except psutil.Error:  # ended between the two calls
            continue
        if ours:
            _guards[child.pid] = subprocess.Popen(  # noqa: S603 - our own text
                [sys.executable, "-c", _GUARD, str(child.pid), _SERVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C at the terminal is not meant for it
            )
