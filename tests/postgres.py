"""A real PostgreSQL on this machine, for as long as the tests run."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

PASSWORD = "s3cret"  # noqa: S105 - of a database that lives for one test run
_SECONDS = 60
# Stops the server when the other end of its input is closed: also when the tests were killed.
_GUARD = 'exec 3<&0; "$@" </dev/null 3<&- & read -r _ <&3; kill -QUIT $!; wait'


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; None where there is no PostgreSQL."""
    beside = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    named = shutil.which("initdb")
    for folder in ([Path(named).resolve().parent] if named else []) + beside:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


class Server:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str, password: str = PASSWORD) -> str:
        """How SQLAlchemy reaches a database of it."""
        return f"postgresql+psycopg://owner:{password}@127.0.0.1:{self.port}/{database}"

    def new(self) -> str:
        """The URL of a new, empty schema: much quicker than a database, and as good."""
        name = f"s{uuid4().hex}"
        self.execute("postgres", f"CREATE SCHEMA {name}")
        return self.url("postgres") + f"?options=-csearch_path%3D{name}"

    def execute(self, database: str, *statements: str) -> None:
        """Do as somebody with a database tool does; each statement for itself."""
        import psycopg

        address = self.url(database).replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Start a server on a free port; it is stopped whatever happens."""
    with tempfile.TemporaryDirectory(prefix="patchae-postgres-") as scratch:
        # The server refuses to be root, and may not enter the folders of pytest.
        user = _other_user() if os.geteuid() == 0 else None
        data = Path(scratch) / "data"
        secret = Path(scratch) / "password"
        secret.write_text(PASSWORD)
        if user:
            for one in (scratch, secret):
                os.chown(one, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        subprocess.run(  # md5, since scram takes longer than what is tested
            [
                *(folder / "initdb", "-D", data, "-U", "owner", "-A", "md5", "-N"),
                *("-E", "UTF8", "--locale=C", "--pwfile", secret),
            ],
            check=True,
            capture_output=True,
            cwd=scratch,
            **who,  # type: ignore[call-overload]
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            server = Server(free.getsockname()[1])
        with (Path(scratch) / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *("/bin/sh", "-c", _GUARD, "sh"),
                    *(folder / "postgres", "-D", data, "-p", str(server.port), "-k", scratch),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=scratch,
                start_new_session=True,
                **who,  # type: ignore[call-overload]
            )
            try:
                _wait(server, Path(log.name))
                yield server
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait()


def _other_user() -> pwd.struct_passwd:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _wait(server: Server, log: Path) -> None:
    import psycopg

    end = time.monotonic() + _SECONDS
    while True:
        try:
            server.execute("postgres", "SELECT 1")
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise RuntimeError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return
