"""What servers and workers of the stack are told, where a setting changes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.server.security_utils import is_allowed_host_header, should_block_cors_request
from pydantic import ValidationError

from infra.stack import accounts, mlflow, prefect, rules, whole, worker
from infra.stack.keys import Keys
from infra.stack.settings import Settings
from patchae.errors import ConfigError


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


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        ("https://mlflow.plant.example", "mlflow.plant.example", "https://mlflow.plant.example"),
        ("https://Plant.example/", "plant.example:443", "https://plant.example"),
        ("https://plant.example:443", "plant.example", "https://plant.example"),
        ("https://plant.example:8443", "plant.example:8443", "https://plant.example:8443"),
        ("http://plant.example:80", "plant.example", "http://plant.example"),
        ("http://[fd00::7]:5000", "[fd00::7]:5000", "http://[fd00::7]:5000"),
        ("", "hall-3:5000", "http://hall-3:5000"),
        ("https://plant.example", "hall-3:5000", "http://hall-3:5000"),
    ],
)
def test_mlflow_answers_at_its_public_address_and_takes_what_its_own_pages_send(
    tmp_path: Path, keys: Keys, *, url: str, host: str, origin: str
) -> None:
    found = mlflow.environment(settings(tmp_path, mlflow_host="hall-3", mlflow_url=url), keys)
    hosts = found["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    origins = found["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert is_allowed_host_header(hosts, host)
    assert not should_block_cors_request(origin, "POST", origins)
    assert is_allowed_host_header(hosts, "localhost:5000")
    assert not is_allowed_host_header(hosts, "evil.example")
    assert not is_allowed_host_header(hosts, "plant.example.evil.example")
    assert should_block_cors_request("https://evil.example", "POST", origins)


@pytest.mark.parametrize("url", ["plant.example", "https://", "http://a:door", "https://a,b", "*"])
def test_a_public_address_that_is_none_is_said(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="https://HOST"):
        settings(tmp_path, mlflow_url=url)


def test_mlflow_is_told_which_other_accounts_train_and_promote(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = settings(tmp_path, mlflow_trainers="ann, bob", mlflow_promoters="cleo")
    for name, value in mlflow.environment(named, keys).items():
        monkeypatch.setenv(name, value)
    roles = [rules.role_of(name) for name in ("ann", "bob", "cleo", "trainer", "dan")]
    assert roles == ["trainer", "trainer", "promoter", "trainer", "viewer"]


def test_workers_alone_are_told_what_their_file_says(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_SLOTS", "9")
    file = tmp_path / "worker.env"
    assert worker.from_file(file) == {}
    file.write_text(
        "# of the hall\n\nPATCHAE_SLOTS = 2\nPATCHAE_LEDGER_KEY='/keys/a = b'\n"
        'OPENLINEAGE_URL="http://lineage"\nPATCHAE_MACHINE=\n'
    )
    given = worker.from_file(file)
    told = {
        "PATCHAE_SLOTS": "2",
        "PATCHAE_LEDGER_KEY": "/keys/a = b",
        "OPENLINEAGE_URL": "http://lineage",
        "PATCHAE_MACHINE": "",
    }
    assert given == told
    found = settings(tmp_path, machine="hall-3")
    for one in worker.services(found, keys, given):
        assert told.items() <= one.whole_environment().items()
        assert "/keys/a" not in str(one.command)
    for server in (prefect.service(found, keys), mlflow.service(found, keys)):
        assert not told.keys() & server.whole_environment().keys()


def test_a_containers_worker_has_them_from_its_environment(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_SLOTS", "2")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    given = worker.from_environment()
    told = worker.service(settings(tmp_path), keys, "w", given).whole_environment()
    assert told["PATCHAE_SLOTS"] == "2"
    assert "AWS_PROFILE" not in told


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("AWS_SECRET_ACCESS_KEY=hush", "AWS_SECRET_ACCESS_KEY is no setting for workers"),
        ("PREFECT_API_URL=hush", "PREFECT_API_URL is no setting for workers"),
        ("export PATCHAE_SLOTS=hush", "is not NAME=VALUE"),
        ("hush", "is not NAME=VALUE"),
        ("PATCHAE_LEDGER_KEY=\\xff hush", "cannot be read"),
    ],
)
def test_another_line_is_one_clear_sentence_and_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str
) -> None:
    file = tmp_path / "worker.env"
    file.write_bytes(f"PATCHAE_SLOTS=2\n{line}\n".encode().replace(b"\\xff", b"\xff"))
    monkeypatch.setattr(worker, "FILE", file)
    home = tmp_path / "stack"
    with pytest.raises(ConfigError, match=says) as raised:
        whole.up(settings(home))
    assert str(file) in str(raised.value)
    assert "hush" not in str(raised.value)
    assert not home.exists()


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
