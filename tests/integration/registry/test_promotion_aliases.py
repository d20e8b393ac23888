"""A promotion moves the aliases of a real MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchae.registry.ledger import Ledger
from patchae.registry.promotion import rollback
from tests.support.registry.memory import MODEL, MemoryAliases, promoted


@pytest.fixture
def aliases() -> MemoryAliases:
    return MemoryAliases()


def test_the_aliases_of_a_real_mlflow_follow(ledger: Ledger, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")

    class MlflowAliases:
        def get(self, model: str) -> dict[str, str]:
            found = client.get_registered_model(model).aliases
            return {alias: str(version) for alias, version in found.items()}

        def has(self, model: str, version: str, run: str | None = None) -> bool:
            return bool(client.get_model_version(model, version))

        def check_may_move(self, model: str) -> None:
            """Everybody may."""

        def set(self, model: str, alias: str, version: str) -> None:
            client.set_registered_model_alias(model, alias, version)

        def delete(self, model: str, alias: str) -> None:
            client.delete_registered_model_alias(model, alias)

    aliases = MlflowAliases()
    client.create_registered_model(MODEL)
    for _ in range(2):
        client.create_model_version(MODEL, source=str(tmp_path / "model"))
    promoted(ledger, aliases, "1", "2")
    assert aliases.get(MODEL) == {"champion": "2", "previous": "1"}
    rollback(ledger, aliases, MODEL, actor="bob", reason="worse in the night shift")
    assert aliases.get(MODEL) == {"champion": "1"}
    assert client.get_model_version_by_alias(MODEL, "champion").version in ("1", 1)
