"""SeaweedFS: an S3 server with one key for each account, and the buckets `dvc` and `mlflow`.

An account reaches the bucket of the images alone; that of the artifacts is MLflow's, whose server
hands out what is in it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.stack.keys import ACCOUNTS, Keys, private
from infra.stack.process import Service, answers
from infra.stack.settings import Settings

BUCKETS = ("dvc", "mlflow")
REGION = "us-east-1"
_READ = ("Read", "List")
_ALL = (*_READ, "Write", "Tagging")


def command(
    folder: Path, host: str, bind: str, ports: Mapping[str, int], identities: Path
) -> list[str]:
    """How SeaweedFS is started: everything in one process, nothing told to its makers."""
    return [
        str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", f"-ip={host}",
        f"-ip.bind={bind}", f"-master.port={ports['s3_master']}",
        f"-volume.port={ports['s3_volume']}", "-filer", f"-filer.port={ports['s3_filer']}",
        "-s3", f"-s3.port={ports['s3']}", f"-s3.config={identities}", "-volume.max=30",
        "-volume.preStopSeconds=0",
        "-master.volumeSizeLimitMB=256", "-master.telemetry=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip


def identity(name: str, key: str, secret: str, actions: Sequence[str]) -> dict[str, Any]:
    """One user, as SeaweedFS wants to be told."""
    credentials = [{"accessKey": key, "secretKey": secret}]
    return {"name": name, "credentials": credentials, "actions": list(actions)}


def identities(keys: Keys) -> str:
    """Who may do what, as SeaweedFS's configuration."""
    users = [
        identity("mlflow", "mlflow", keys["s3_mlflow"], [f"{one}:mlflow" for one in _ALL]),
        identity("owner", "owner", keys["s3_owner"], ["Admin", *_ALL]),
    ]
    for account in ACCOUNTS:
        actions = _READ if account == "viewer" else _ALL
        users.append(
            identity(account, account, keys[f"s3_{account}"], [f"{one}:dvc" for one in actions])
        )
    return json.dumps({"identities": users})


def service(settings: Settings, keys: Keys) -> Service:
    """The server."""
    folder = settings.home / "s3" / "data"
    config = settings.home / "s3" / "identities.json"
    folder.mkdir(parents=True, exist_ok=True)
    private(config, identities(keys))
    return Service(
        "s3",
        command(folder, settings.s3_host, settings.bind, settings.ports, config),
        ready=lambda: answers(settings.url("s3")) and _lists(settings, keys),
        where=settings.url("s3"),
        # What it was given is in its files by then; it would go on waiting for itself.
        grace=3,
    )


def setup(settings: Settings, keys: Keys) -> None:
    """The buckets; repeatable."""
    s3 = client(settings, "owner", keys["s3_owner"])
    present = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in BUCKETS:
        if bucket not in present:
            s3.create_bucket(Bucket=bucket)


def environment(settings: Settings, key: str, secret: str) -> dict[str, str]:
    """What a client needs: standard variables and nothing else."""
    return {
        "AWS_ENDPOINT_URL": settings.url("s3"),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }


def client(settings: Settings, key: str, secret: str) -> Any:
    """boto3 with the credentials of a user."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=settings.url("s3"),
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
    )


def _lists(settings: Settings, keys: Keys) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client(settings, "owner", keys["s3_owner"]).list_buckets()
    except (BotoCoreError, ClientError):
        return False
    return True
