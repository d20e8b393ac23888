"""A real PostgreSQL on this machine, for as long as the tests run."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from infra.stack.postgres import init, other_user

PASSWORD = "s3cret"  # noqa: S105 - of a database that lives for one test run
_SECONDS = 60
# Stops the server when the other end of its input is closed: also when the tests were killed.
_GUARD = 'exec 3<&0; "$@" </dev/null 3<&- & read -r _ <&3; kill -QUIT $!; wait'


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
        data = Path(scratch) / "data"
        secret = Path(scratch) / "password"
        secret.write_text(PASSWORD)
        # md5, since scram takes longer than what is tested
        init(folder, data, secret, "-A", "md5", "-N")
        user = other_user()  # the folders of pytest are closed to it
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
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
