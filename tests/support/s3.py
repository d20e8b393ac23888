"""A real S3 server on loopback, for the time of a test session."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.stack.s3 import command, identity
from infra.stack.settings import free_ports

KEY, SECRET = "plant", "correct-horse"
_PATIENCE_S = 60


@dataclass
class Server:
    """A running SeaweedFS with one user."""

    folder: Path
    ports: tuple[int, ...]
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        """Where it speaks S3."""
        return self.ports[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What clients need: the standard variables and nothing else."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_MAX_ATTEMPTS": "2",
        }

    def client(self) -> Any:
        """boto3 with the right credentials."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def stop(self) -> None:
        """At once, as a power failure would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Start a server whose data lies in a folder, and stop it afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    user = identity("plant", KEY, SECRET, ["Admin", "Read", "List", "Tagging", "Write"])
    (folder / "identities.json").write_text(json.dumps({"identities": [user]}))
    started = start(folder)
    try:
        yield started
    finally:
        started.stop()


def start(folder: Path, ports: tuple[int, ...] | None = None) -> Server:
    """Start the server of a folder and wait until it answers; once more on the ports it had."""
    ports = ports or free_ports(4)
    names = ("s3_master", "s3_volume", "s3_filer", "s3")
    by_name = dict(zip(names, ports, strict=True))
    words = command(folder, "127.0.0.1", "127.0.0.1", by_name, folder / "identities.json")
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            words, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    found = Server(folder, ports, process)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            found.client().list_buckets()
            break
        except Exception:
            if time.monotonic() > deadline or process.poll() is not None:
                found.stop()
                raise
            time.sleep(0.3)
    return found
