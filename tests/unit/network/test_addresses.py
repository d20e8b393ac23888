"""Addresses of MLflow that nothing here can use: one message each, and no password in it."""

from __future__ import annotations

import pytest

from patchae.errors import ConfigError, PatchaeError
from patchae.network import shown
from patchae.project import Project
from patchae.registry.tracking import Tracking

REFUSED = {
    "postgresql://ann:s3cret@db.example/mlflow": ("'psycopg2'", "write postgresql+psycopg://"),
    "postgresql+psycopg2://ann:s3cret@db.example/mlflow": ("'psycopg2'", "postgresql+psycopg://"),
    "postgresql+asyncpg://ann:s3cret@db.example/m": ("cannot use", "postgresql+psycopg://"),
    "postgresql+psycopgg://ann:s3cret@db.example/m": ("no driver", "postgresql+psycopg://"),
    "postgres://ann:s3cret@db.example/mlflow": ("'postgres'", "write postgresql+psycopg://"),
    "mysql://ann:s3cret@db.example/mlflow": ("is not installed", "mysql+pymysql://"),
    "mssql://ann:s3cret@db.example/mlflow": ("is not installed", "mssql+pymssql://"),
    "htp://ann:s3cret@mlflow.example": ("speaks 'htp'", "write http://"),
    "localhost:5000": ("speaks 'localhost'", "write http://"),
    "https://": ("names no host", "write http://"),
    "databricks": ("Databricks", "write http://"),
    "databricks://profile": ("Databricks", "write http://"),
    "./mlruns": ("names a folder", "unset it for the embedded store"),
    "postgresql+psycopg://ann:s3cret@[db/mlflow": ("is no URL", "write"),
}


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_mlflow_cannot_use_is_refused_with_the_one_to_write(
    project: Project, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI is not usable") as raised:
        Tracking.open(project)
    what, mend = REFUSED[address]
    assert what in raised.value.what
    assert mend in str(raised.value.mend)
    assert "s3cret" not in str(raised.value)


def test_a_database_that_does_not_answer_is_said_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow itself tries for minutes."""
    address = "postgresql+psycopg://ann:s3cret@127.0.0.1:9/mlflow"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(PatchaeError, match="MLflow cannot be used: connection failed") as raised:
        Tracking.open(project)
    assert raised.value.exit_code == 3
    assert raised.value.where == "postgresql+psycopg://ann:***@127.0.0.1:9/mlflow"


@pytest.mark.parametrize(
    ("address", "as_shown"),
    [
        ("https://ann:pw@h.example/x", "https://ann:***@h.example/x"),
        ("https://h.example/x@1", "https://h.example/x@1"),
        ("postgresql://ann:p@w@h/x", "postgresql://ann:***@h/x"),
    ],
)
def test_a_message_shows_no_password(address: str, as_shown: str) -> None:
    assert shown(address) == as_shown
