"""What servers and workers of the stack are told, where a setting changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.stack import accounts, mlflow, prefect, rules, worker
from infra.stack.keys import Keys
from infra.stack.settings import Settings


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Secrets of their own."""
    found = Keys(tmp_path / "secrets")
    found.make()
    return found


def settings(home: Path, **given: str) -> Settings:
    """A stack whose servers other containers find by name."""
    return Settings(home=home, prefect_host="prefect", **given)  # type: ignore[arg-type]


def test_a_browser_is_told_an_address_of_its_own_and_workers_theirs(
    tmp_path: Path, keys: Keys
) -> None:
    name = "PREFECT_SERVER_UI_API_URL"
    inside = "http://prefect:4200/api"
    assert prefect.environment(settings(tmp_path), keys)[name] == inside
    found = settings(tmp_path, prefect_ui_api_url="https://plant.example/api")
    assert prefect.environment(found, keys)[name] == "https://plant.example/api"
    assert prefect.client_environment(found, keys)["PREFECT_API_URL"] == inside


def test_mlflow_is_told_which_other_accounts_train_and_promote(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = settings(tmp_path, mlflow_trainers="ann, bob", mlflow_promoters="cleo")
    for name, value in mlflow.environment(named, keys).items():
        monkeypatch.setenv(name, value)
    roles = [rules.role_of(name) for name in ("ann", "bob", "cleo", "trainer", "dan")]
    assert roles == ["trainer", "trainer", "promoter", "trainer", "viewer"]


def test_whoever_trains_is_told_the_machine_and_not_that_of_whoever_starts_them(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_MACHINE", "desk")
    named = worker.services(settings(tmp_path, machine="hall-3"), keys)
    assert [one.whole_environment()["PATCHAE_MACHINE"] for one in named] == ["hall-3", "hall-3"]
    by_hand = accounts.environment(settings(tmp_path, machine="hall-3"), keys, "promoter")
    assert by_hand["PATCHAE_MACHINE"] == "hall-3"
    # Empty would mean: no places of any machine.
    by_host = worker.services(settings(tmp_path), keys)
    assert not any("PATCHAE_MACHINE" in one.whole_environment() for one in by_host)
