"""MLflow and Prefect behind TLS of an authority of one's own, that ask for accounts."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from flows.server import free_port, prefect_server
from tests.support import git_init, write_class
from tests.support.prefect_database import give_database
from tests.support.tls import Authority, Door, door

ROOT = Path(__file__).parents[3]
BEARER = "Bearer t0ken"
BASIC = "Basic " + base64.b64encode(b"ann:s3cret").decode()
LINES = """\
lines:
  sample:
    classes: [bolt]
    training: {backbone: tf_efficientnet_lite0, image_size: 64, epochs: 1, damaged_images: 0,
               memory_size: 300, channels: 16}
    validation: {min_train_good: 5}
"""


@contextmanager
def _mlflow(folder: Path) -> Iterator[int]:
    port = free_port(0)
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    words += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    ask = build_opener(ProxyHandler({})).open
    try:
        end = time.monotonic() + 300
        while True:
            try:
                ask(f"http://127.0.0.1:{port}/health", timeout=10).close()
                break
            except (URLError, OSError):
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.25)
        yield port
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


class Plant:
    """A project whose servers are behind doors; Prefect's are told in `.env` and a profile."""

    def __init__(self, root: Path, authority: Authority, mlflow: str, prefect: str) -> None:
        self.root, self.home = root, root.parent / "home"
        self.proxy: Door | None = None
        self.prefect = f"{prefect}/api"
        root.mkdir()
        (root / "lines.yaml").write_text(LINES)
        (root / ".gitignore").write_text("/data\n/.patchae\n/.env\n")
        write_class(root / "data", "bolt", train_good=12)
        git_init(root)
        (root / ".env").write_text(f"PREFECT_API_URL={self.prefect}\n")
        (self.home / ".prefect").mkdir(parents=True)
        (self.home / ".prefect" / "profiles.toml").write_text(
            'active = "plant"\n[profiles.plant]\nPREFECT_API_AUTH_STRING = "ann:s3cret"\n'
        )
        self.given = {
            "MLFLOW_TRACKING_URI": mlflow,
            "MLFLOW_TRACKING_TOKEN": "t0ken",
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(authority.file),
            "PREFECT_API_SSL_CERT_FILE": str(authority.file),
        }

    def run(self, *words: str, without: str = "", **more: str) -> tuple[int, str]:
        """A command: its exit code and all that it printed."""
        given = {name: value for name, value in self.given.items() if name != without}
        bare = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "patchae", *words],
            cwd=self.root,
            env=bare
            | {"PYTHONPATH": str(ROOT), "HOME": str(self.home), "OMP_NUM_THREADS": "1"}
            | given
            | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        return done.returncode, done.stdout + done.stderr

    def checks(self, without: str = "", **more: str) -> dict[str, dict[str, str]]:
        """What `doctor` found, by check."""
        _, said = self.run("doctor", "--json", without=without, **more)
        found = [line for line in said.splitlines() if line.startswith("{")]
        assert found, said
        return {one["check"]: one for one in json.loads(found[-1])["checks"]}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    for name in ("mlflow", "prefect"):
        (folder / name).mkdir()
    with (
        _mlflow(folder / "mlflow") as mlflow,
        prefect_server(give_database(folder / "prefect"), free_port(0), pages=False) as api,
        door(mlflow, authority.context(), {BEARER}) as (mlflow_url, _),
        door(urlsplit(api).port, authority.context(), {BASIC}) as (
            prefect_url,
            _,
        ),
    ):
        yield Plant(folder / "plant", authority, mlflow_url, prefect_url)


def test_doctor_asks_with_what_the_clients_know(plant: Plant) -> None:
    with door() as (proxy, counted):
        found = plant.checks(HTTP_PROXY=proxy, HTTPS_PROXY=proxy, ALL_PROXY=proxy)
    assert found["mlflow"]["state"] == "ok", found
    assert "account of MLFLOW_TRACKING_TOKEN" in found["mlflow"]["detail"]
    assert found["prefect"]["state"] == "ok", found
    assert plant.prefect in found["prefect"]["detail"], "it stands in .env"
    assert "MLflow" in found["clock"]["detail"]
    assert "Prefect" in found["clock"]["detail"]
    assert [line for line in counted.asked if "127.0.0.1" in line] == []


@pytest.mark.parametrize(
    ("check", "variable"),
    [
        ("mlflow", "MLFLOW_TRACKING_SERVER_CERT_PATH"),
        ("prefect", "PREFECT_API_SSL_CERT_FILE"),
    ],
)
def test_without_the_authority_the_certificate_is_named(
    plant: Plant, check: str, variable: str
) -> None:
    found = plant.checks(without=variable)[check]
    assert found["state"] == "fail"
    assert "the certificate of 127.0.0.1 is not trusted" in found["detail"]
    assert variable in found["mend"]


def test_an_account_that_is_not_known_is_no_certificate(plant: Plant) -> None:
    wrong = {"MLFLOW_TRACKING_TOKEN": "guess", "PREFECT_API_AUTH_STRING": "ann:guess"}
    found = plant.checks(**wrong)
    assert "MLflow does not know this token" in found["mlflow"]["detail"]
    assert "MLFLOW_TRACKING_TOKEN" in found["mlflow"]["mend"]
    assert "Prefect does not know this key" in found["prefect"]["detail"]


def test_a_class_is_trained_there(plant: Plant) -> None:
    code, said = plant.run("retrain", "sample", without="MLFLOW_TRACKING_SERVER_CERT_PATH")
    assert code == 3, said
    assert "the certificate of 127.0.0.1 is not trusted" in said
    code, said = plant.run("retrain", "sample")
    assert code == 0, said
    assert "version 1" in said
    code, said = plant.run("audit", "sample.bolt/1")
    assert code == 0, said
