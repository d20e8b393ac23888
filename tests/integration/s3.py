"""A real S3 server on loopback, for the time of a test session."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    identity = {
        "name": "plant",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
    started = start(folder)
    try:
        yield started
    finally:
        started.stop()


def start(folder: Path, ports: tuple[int, ...] | None = None) -> Server:
    """Start the server of a folder and wait until it answers; once more on the ports it had."""
    ports = ports or tuple(_free_ports(4))
    master, volume, filer, port = ports
    command = [
        str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}", "-filer",
        f"-filer.port={filer}", "-s3", f"-s3.port={port}",
        f"-s3.config={folder / 'identities.json'}", "-volume.max=30",
        "-master.volumeSizeLimitMB=256", "-master.telemetry=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True
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


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses, and 10,000 above them neither: SeaweedFS takes those for gRPC."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe, socket.socket() as above:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port + 10_000 > 65_535 or port in found:
                continue
            try:
                above.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            found.append(port)
    return found
