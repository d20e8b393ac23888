"""Which servers are asked through a proxy, as every library of Python reads the environment."""

from __future__ import annotations

import os
from urllib.request import proxy_bypass_environment

import pytest
from requests.utils import get_environ_proxies

from patchae.environment import LOOPBACK, spare_loopback
from patchae.network import proxy_for

PROXY = "http://proxy.plant.example:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("NO_PROXY", "no_proxy"):  # what the call sets is undone after the test
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("before", [{}, {"NO_PROXY": "plant.example, 10.0.0.1"}, {"no_proxy": "x"}])
def test_this_machine_is_asked_past_every_proxy_and_what_was_spared_stays_so(
    monkeypatch: pytest.MonkeyPatch, variable: str, before: dict[str, str]
) -> None:
    monkeypatch.setenv(variable, PROXY)
    for name, hosts in before.items():
        monkeypatch.setenv(name, hosts)
    spare_loopback()
    spare_loopback()  # a second time adds nothing
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"]
    hosts = os.environ["NO_PROXY"].split(",")
    kept = [host.strip() for text in before.values() for host in text.split(",")]
    assert hosts == [*kept, *LOOPBACK]
    for host in ("127.0.0.1", "localhost"):
        for scheme in ("http", "https"):
            address = f"{scheme}://{host}:4200/api"
            assert proxy_for(address) is None
            assert get_environ_proxies(address) == {}
    assert not proxy_bypass_environment("mlflow.elsewhere.example")


def test_without_a_proxy_nothing_is_set() -> None:
    spare_loopback()
    assert "NO_PROXY" not in os.environ


def test_whoever_spares_every_host_does_so_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "*")
    spare_loopback()
    assert os.environ["NO_PROXY"] == "*"
