"""A running stack for the tests, on free ports, and a project that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.stack import accounts, postgres, process, s3, whole, worker
from infra.stack.keys import Keys
from infra.stack.settings import Settings
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.ledger_postgres import ServerStore
from tests.support import write_class
from tests.support.plant import GATES, TINY, Plant

ROOT = Path(__file__).parents[2]
ALWAYS = {"cron": "* * * * *", "timezone": "UTC"}
DVC = "[core]\n    remote = far\n['remote \"far\"']\n    url = s3://dvc/images\n    verify = true\n"
WORKERS_SECRET = "planted-95b3e7a1"  # noqa: S105 - nobody else has it
"""What the workers alone are given, by their file."""
_COUNT = {
    "ledger": b"SELECT count(*) FROM ledger",
    "model_versions": b"SELECT count(*) FROM model_versions",
    "flow_run": b"SELECT count(*) FROM flow_run",
    "runs": b"SELECT count(*) FROM runs",
}


class Stack:
    """A running stack, and a project that uses it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.keys = Keys(settings.home / "secrets")
        self.plant = Plant(folder)
        self.plant.lines = {
            "caps": {"classes": ["cap"], "training": TINY, "gates": GATES, "schedule": ALWAYS}
        }
        self.plant.write_lines()
        (folder / ".dvc").mkdir()
        (folder / ".dvc" / "config").write_text(DVC)
        for number, name in enumerate(("cap", "nut"), 1):
            write_class(self.plant.project.data, name, seed=number)

    def environment(self, account: str, **more: str) -> dict[str, str]:
        """What a command of an account has; "" is nobody in MLflow."""
        kept = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
        own = accounts.environment(self.settings, self.keys, account or "trainer")
        if not account:
            del own["MLFLOW_TRACKING_USERNAME"], own["MLFLOW_TRACKING_PASSWORD"]
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            **own,
            "PATCHAE_ACTOR": account,
            **more,
        }

    def start(self, account: str, *words: str, **more: str) -> subprocess.Popen[str]:
        """A command of patchae, by an account, that is not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "patchae", *words],
            cwd=self.plant.project.root,
            env=self.environment(account, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, account: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command of patchae, by an account."""
        command = self.start(account, *words, **more)
        try:
            out, err = command.communicate(timeout=300)
        finally:
            command.kill()
        return subprocess.CompletedProcess(words, command.returncode, out, err)

    def rows(self, model: str) -> list[Entry]:
        """What the ledger has of a model."""
        return self.ledger().entries(model)

    def ledger(self, account: str = "viewer") -> Ledger:
        """The ledger, as an account reaches it."""
        return Ledger(ServerStore(postgres.ledger_url(self.settings, self.keys, account)))

    def objects(self, bucket: str) -> int:
        """How many objects a bucket holds."""
        client = s3.client(self.settings, "owner", self.keys["s3_owner"])
        return int(client.list_objects_v2(Bucket=bucket)["KeyCount"])

    def contents(self, bucket: str) -> Iterator[tuple[str, bytes]]:
        """Every object of a bucket."""
        client = s3.client(self.settings, "owner", self.keys["s3_owner"])
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for one in page["Contents"]:
                yield one["Key"], client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()

    def dump(self, database: str) -> str:
        """All rows of all tables of a database, as text."""
        folder = postgres.binaries()
        assert folder is not None
        where = ("-h", "127.0.0.1", "-p", str(self.settings.ports["postgres"]), "-U", "owner")
        return subprocess.run(
            [folder / "pg_dump", "--data-only", *where, database],
            env={**os.environ, "PGPASSWORD": self.keys["postgres"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def count(self, database: str, table: str) -> int:
        """How many rows a table holds."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1",
            port=self.settings.ports["postgres"],
            user="owner",
            password=self.keys["postgres"],
            dbname=database,
        ) as connection:
            (found,) = connection.execute(_COUNT[table]).fetchall()
        return int(found[0])


def processes(home: Path) -> list[str]:
    """Every process that a stack started, or that one of those did."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get(process.MARK) == str(home):
                found.append(" ".join(one.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


@contextmanager
def running(workers: int = 2) -> Iterator[Stack]:
    """The whole stack, stopped and wiped afterwards; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="patchae-stack-") as folder:
        Path(folder).chmod(0o711)
        settings = settings_in(Path(folder) / "stack", workers)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(ROOT))
            own = Path(folder) / "worker.env"
            own.write_text(f"PATCHAE_TOKEN={WORKERS_SECRET}\n")
            patch.setattr(worker, "FILE", own)
            try:
                whole.up(settings)
                yield Stack(settings, Path(folder) / "plant")
            finally:
                whole.down(settings)
        assert processes(settings.home) == []
        whole.down(settings, wipe=True)
        assert not settings.home.exists()


def settings_in(home: Path, workers: int = 2) -> Settings:
    """A stack in a folder, on ports that are free."""
    ports = {f"{name}_port": 0 for name in ("postgres", "s3", "mlflow", "prefect")}
    return Settings(home=home, workers=workers, **ports)  # type: ignore[arg-type]
