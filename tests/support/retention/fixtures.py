"""Projects to be tidied: embedded, and on PostgreSQL and S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import clean
from tests.support.postgres import Server as Postgres
from tests.support.retention.shop import LINE, Shop
from tests.support.s3 import Server, server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real S3 server."""
    with server(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An embedded project, shared by the stories of a module; a fresh MLflow takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        yield Shop(tmp_path_factory.mktemp("shop") / "plant")


@pytest.fixture
def far(tmp_path: Path, postgres: Postgres, s3: Server, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A project whose ledger and MLflow are on PostgreSQL, and whose files are on S3."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", s3.environment["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("PATCHAE_LEDGER_URL", postgres.new())
    postgres.execute("postgres", "CREATE DATABASE mlflow_tidy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres.url("mlflow_tidy"))
    s3.client().create_bucket(Bucket="mlflow")
    made = Shop(tmp_path / "plant")
    made.tracking.client.create_experiment(LINE, artifact_location=f"s3://mlflow/{LINE}")
    return made
