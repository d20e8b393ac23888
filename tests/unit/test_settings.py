"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchae.errors import ConfigError
from patchae.settings import settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATCHAE_DEVICE", "tpu"),
        ("PATCHAE_SLOTS", "0"),
        ("PATCHAE_MACHINE", "hall/3"),
        ("PATCHAE_SLOTS", "many"),
        ("PATCHAE_PREDICTIONS_DAYS", "1000000"),
        ("PATCHAE_LOCK_TIMEOUT", "soon"),
        ("PATCHAE_LOCK_TIMEOUT", "nan"),
    ],
)
def test_a_wrong_value_is_one_message_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^{name} is not usable") as caught:
        settings()
    assert name in str(caught.value.mend)
    monkeypatch.delenv(name)
    settings()  # unsetting it, as the message says, mends it


def test_every_call_reads_the_environment_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().state == Path(".patchae")
    monkeypatch.setenv("PATCHAE_STATE", "/srv/state")
    monkeypatch.setenv("PATCHAE_SLOTS", "2")
    assert (settings().state, settings().slots) == (Path("/srv/state"), 2)


@pytest.mark.parametrize("name", ["PATCHAE_STATE", "PATCHAE_SLOTS", "PATCHAE_DEVICE"])
def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    default = settings()
    monkeypatch.setenv(name, "")  # what a compose file makes of a variable that nobody filled in
    assert settings() == default


def test_a_machine_without_a_name_is_not_one_that_was_not_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings().machine is None
    for name in ("hall-3", ""):
        monkeypatch.setenv("PATCHAE_MACHINE", name)
        assert settings().machine == name


def test_the_actor_is_the_named_one_or_the_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().who() == "tester"
    monkeypatch.delenv("PATCHAE_ACTOR")
    monkeypatch.setenv("LOGNAME", "inspector")
    assert settings().who() == "inspector"
