"""Reach Prefect before a flow starts, and leave nothing of it behind.

Where Prefect's settings name no server, Prefect starts one of its own for this process and stops it
at the end. A process that is killed with `kill -9` has no end, so a small
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

import psutil

from flows.connection import api_url, client, failure
from flows.server import DATABASE
from patchae.errors import ConfigError
from patchae.files import touch

_DRIVERS = ("postgresql+asyncpg", "sqlite+aiosqlite")
"""The only ones that Prefect's server knows."""
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
        AccessRefused: the server does not know the key.
        ConfigError: what Prefect is set to cannot be used.
        OSError: the folder of a server of one's own cannot be written, or its disk is full.
    """
    where = api_url()
    problem = _problem() if where else _started()
    if problem is not None:
        raise failure(where or "the server that Prefect starts by itself", problem)


def _problem() -> Exception | None:
    """What keeps Prefect from answering; None where nothing does."""
    import httpx

    try:
        with client() as prefect:
            return prefect.api_healthcheck()
    except (RuntimeError, ValueError, ImportError, httpx.HTTPError, OSError) as error:
        return error


def _started() -> Exception | None:
    """`_problem` of a server that is started for it, which no Ctrl-C reaches.

    Which signals are blocked is inherited: by the thread that asks, and by the server from it. This
    one hears Ctrl-C again as soon as the server is there and guarded.
    """
    _check_database()
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


def _check_database() -> None:
    """Refuse a database that Prefect's server could not use: it would end with a traceback."""
    from prefect.settings import get_current_settings
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    setting = get_current_settings().server.database.connection_url
    if setting is None:
        return
    try:
        driver = make_url(setting.get_secret_value()).drivername
    except (ArgumentError, ValueError):
        driver = "no URL"
    if driver not in _DRIVERS:
        raise ConfigError(
            f"Prefect's server cannot use its database: {driver}",
            where="PREFECT_SERVER_DATABASE_CONNECTION_URL",
            mend=f"write {' or '.join(f'{one}://' for one in _DRIVERS)}",
        )


def _check_room() -> None:
    """Write to the server's folder: it does not tell that it cannot, but answers with errors."""
    from prefect.settings import Settings

    folder = Settings().home  # as the server will read it, from the environment of now
    folder.mkdir(parents=True, exist_ok=True)
    touch(folder / DATABASE)
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
