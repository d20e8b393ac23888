"""Reach Prefect before a flow starts, and leave nothing of it behind.

With `PREFECT_API_URL` that is a server somewhere; without, Prefect starts one of its own for this
process and stops it at the end. A process that is killed with `kill -9` has no end, so a small
guard outlives it by a moment and stops that server. Nor does a Ctrl-C at the terminal, which goes
to whatever was started there, end the server before the flow has told it how it ended itself.
"""

from __future__ import annotations

import contextvars
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import psutil

from patchae.errors import StoreUnreachable

_SERVER = "prefect.server.api.server"
_ROOM = 1 << 20
"""Bytes, about what an empty database of Prefect takes."""
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
        OSError: the folder of a server of one's own cannot be written, or its disk is full.
    """
    where = os.environ.get("PREFECT_API_URL")
    problem = _problem() if where else _started()
    where = where or "the server that Prefect starts by itself"
    if problem is not None:
        why = str(problem).partition("\n")[0] or type(problem).__name__
        raise StoreUnreachable(
            f"Prefect cannot be used: {why}",
            where=where,
            mend="start the server or correct PREFECT_API_URL; unset it for the embedded one",
        )


def _problem() -> Exception | None:
    """What keeps Prefect from answering; None where nothing does."""
    import httpx
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            return client.api_healthcheck()
    except (RuntimeError, httpx.HTTPError, OSError) as error:
        return error


def _started() -> Exception | None:
    """`_problem` of a server that is started for it, which no Ctrl-C reaches.

    Which signals are blocked is inherited: by the thread that asks, and by the server from it. This
    one hears Ctrl-C again as soon as the server is there and guarded.
    """
    _check_room()
    answer: Future[Exception | None] = Future()

    def ask() -> None:
        try:
            answer.set_result(_problem())
        except Exception as error:  # noqa: BLE001 - raised where somebody waits for it
            answer.set_exception(error)

    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        asking = threading.Thread(target=contextvars.copy_context().run, args=(ask,), daemon=True)
        asking.start()
        while asking.is_alive() and not _guarded():
            asking.join(0.1)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    problem = answer.result()
    _guarded()  # also one that had to be started anew
    return problem


def _check_room() -> None:
    """Write to the server's folder: it does not tell that it cannot, but answers with errors."""
    folder = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f".room-{os.getpid()}"
    try:
        file.write_bytes(bytes(_ROOM))
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _guarded() -> bool:
    """Whether this process has a server, which from now on has a guard."""
    known = {*_guards, *(guard.pid for guard in _guards.values())}
    for child in psutil.Process().children():
        if child.pid in known:
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
    return bool(_guards)
