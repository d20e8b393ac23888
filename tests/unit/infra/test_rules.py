"""What an account may do in MLflow, as a table; integration tests ask the real server."""

from __future__ import annotations

import pytest

from infra.stack.rules import PROMOTERS as NAMED_PROMOTERS
from infra.stack.rules import TRAINERS as NAMED_TRAINERS
from infra.stack.rules import Role, allowed, role_of

API = "/api/2.0/mlflow"
EVERYBODY: list[Role] = ["viewer", "trainer", "promoter"]
WRITERS: list[Role] = ["trainer", "promoter"]
PROMOTERS: list[Role] = ["promoter"]
NOBODY: list[Role] = []


@pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        ("GET", f"{API}/registered-models/get", EVERYBODY),
        ("POST", f"{API}/runs/search", EVERYBODY),
        ("POST", "/graphql", EVERYBODY),
        ("PATCH", f"{API}/users/update-password", EVERYBODY),
        ("POST", f"{API}/runs/create", WRITERS),
        ("POST", f"{API}/runs/log-batch", WRITERS),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/x", WRITERS),
        ("POST", f"{API}/registered-models/create", WRITERS),
        ("POST", f"{API}/model-versions/create", WRITERS),
        ("POST", f"{API}/model-versions/set-tag", WRITERS),
        ("POST", f"{API}/registered-models/alias", PROMOTERS),
        ("POST", "/ajax-api/2.0/mlflow/registered-models/alias", PROMOTERS),
        ("POST", f"{API}/registered-models/alias/", PROMOTERS),
        ("DELETE", f"{API}/registered-models/alias", PROMOTERS),
        ("DELETE", f"{API}/registered-models/delete", PROMOTERS),
        ("POST", f"{API}/registered-models/rename", PROMOTERS),
        ("DELETE", f"{API}/model-versions/delete", PROMOTERS),
        ("POST", f"{API}/runs/delete", PROMOTERS),
        ("POST", f"{API}/experiments/delete", PROMOTERS),
        ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/1/x", PROMOTERS),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/metrics", WRITERS),
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/1/abc/artifacts/search", WRITERS),
        ("POST", "/ajax-api/2.0/mlflow-artifacts/mpu/complete/1/abc/artifacts/query", WRITERS),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/roles/restored.txt", WRITERS),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/users/update-password", WRITERS),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/1/search", EVERYBODY),
        ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/1/search", PROMOTERS),
        ("POST", f"{API}/users/create", NOBODY),
        ("POST", "/api/3.0/mlflow/roles/permissions/add", NOBODY),
    ],
)
def test_who_may(method: str, path: str, who: list[Role]) -> None:
    assert [role for role in EVERYBODY if allowed(role, method, path)] == who


def test_an_account_that_nobody_named_only_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [role_of(name) for name in EVERYBODY] == EVERYBODY
    assert role_of("somebody") == "viewer"
    monkeypatch.setenv(NAMED_TRAINERS, "ann, bob")
    monkeypatch.setenv(NAMED_PROMOTERS, "cleo")
    assert [role_of(name) for name in ("ann", "bob", "cleo")] == ["trainer", "trainer", "promoter"]
    # To name one takes nothing from the accounts of the stack.
    assert [role_of(name) for name in EVERYBODY] == EVERYBODY
    monkeypatch.setenv(NAMED_PROMOTERS, "ann, trainer, viewer")
    assert [role_of(name) for name in ("ann", *EVERYBODY)] == ["promoter"] * 4
