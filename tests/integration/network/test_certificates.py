"""What is said of certificates, accounts and proxies, whichever of the clients meets them."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_TLS_INSECURE_SKIP_VERIFY,
    PREFECT_API_URL,
    temporary_settings,
)

from flows.connection import Server
from patchae.dataset.bucket import stamped
from patchae.environment import spare_loopback
from patchae.errors import AccessRefused, ConfigError, PatchaeError, StoreUnreachable
from patchae.registry.mlflow_answers import probe
from tests.support.tls import Authority, door

BASIC = "Basic " + base64.b64encode(b"ann:s3cret").decode()
BEARER = "Bearer t0ken"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def closed(authority: Authority) -> Iterator[str]:
    """The address of a server with TLS that wants an account."""
    with door(None, authority.context(), {BASIC, BEARER}) as (url, _):
        yield url


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def _mlflow(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    probe(url)


def _prefect(url: str, _: pytest.MonkeyPatch) -> None:
    with temporary_settings({PREFECT_API_URL: f"{url}/api"}):
        Server(f"{url}/api").date()


def _s3(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    stamped("s3://bucket/prefix")


Asks = Callable[[str, pytest.MonkeyPatch], None]
CLIENTS: dict[str, tuple[Asks, str]] = {
    "mlflow": (_mlflow, "MLFLOW_TRACKING_SERVER_CERT_PATH"),
    "prefect": (_prefect, "PREFECT_API_SSL_CERT_FILE"),
    "s3": (_s3, "AWS_CA_BUNDLE"),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_certificate_of_an_unknown_authority_is_called_one(
    closed: str, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    ask, setting = CLIENTS[client]
    with pytest.raises(StoreUnreachable, match=r"certificate of 127\.0\.0\.1 is not") as raised:
        ask(closed, monkeypatch)
    assert str(raised.value.mend).startswith(f"set {setting} to the file")


@pytest.mark.parametrize("client", CLIENTS)
def test_one_that_has_expired_or_is_of_another_host_is_not_mended_by_an_authority(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    ask, setting = CLIENTS[client]
    monkeypatch.setenv(setting, str(authority.file))
    contexts = {
        "expired": authority.context(age=timedelta(days=40)),
        "as the certificate names it": authority.context("mlflow.plant.example"),
    }
    for says, context in contexts.items():
        with (
            door(None, context) as (url, _),
            temporary_settings({PREFECT_API_SSL_CERT_FILE: str(authority.file)}),
            pytest.raises(StoreUnreachable, match=r"is not trusted") as raised,
        ):
            ask(url, monkeypatch)
        assert says in str(raised.value)
        assert setting not in str(raised.value.mend)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_of_authorities_that_is_not_there_is_named(
    closed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str
) -> None:
    ask, setting = CLIENTS[client]
    gone = tmp_path / "gone.pem"
    monkeypatch.setenv(setting, str(gone))
    with (
        temporary_settings({PREFECT_API_SSL_CERT_FILE: str(gone)}),
        pytest.raises(ConfigError, match=r"certificates for .* is not there") as raised,
    ):
        ask(closed, monkeypatch)
    assert raised.value.where == str(gone)
    assert setting in str(raised.value.mend)


@pytest.mark.parametrize("client", ["mlflow", "prefect"])
def test_a_server_without_tls_is_no_certificate_of_it(
    monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    ask, _ = CLIENTS[client]
    with door(None) as (url, _door), pytest.raises(StoreUnreachable, match="does not speak TLS"):
        ask(url.replace("http:", "https:"), monkeypatch)


@pytest.mark.parametrize(
    "given",
    [
        {"MLFLOW_TRACKING_TOKEN": "t0ken"},
        {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "s3cret"},
        {},
    ],
    ids=["a token", "name and password", "~/.mlflow/credentials"],
)
@pytest.mark.parametrize("insecure", [False, True])
def test_mlflow_is_asked_with_all_that_its_client_understands(
    closed: str,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    given: dict[str, str],
    insecure: bool,
) -> None:
    if insecure:
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority.file))
    with pytest.raises(AccessRefused, match="MLflow asks for an account, and none is given"):
        _mlflow(closed, monkeypatch)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    if not given:
        (tmp_path / ".mlflow").mkdir()
        (tmp_path / ".mlflow" / "credentials").write_text(
            "[mlflow]\nmlflow_tracking_username = ann\nmlflow_tracking_password = s3cret\n"
        )
    _mlflow(closed, monkeypatch)


def test_what_mlflows_client_cannot_be_set_up_with_is_said(
    closed: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".mlflow").mkdir()
    credentials = tmp_path / ".mlflow" / "credentials"
    credentials.write_text("username = ann\n")
    with pytest.raises(ConfigError, match="MLflow's client cannot be set up"):
        _mlflow(closed, monkeypatch)
    credentials.unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority.file))
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    with pytest.raises(ConfigError, match="MLflow's client cannot be set up"):
        _mlflow(closed, monkeypatch)


def test_prefect_is_asked_with_all_that_its_client_understands(
    closed: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = {PREFECT_API_SSL_CERT_FILE: str(authority.file)}
    with temporary_settings(trusted):
        with pytest.raises(AccessRefused, match="Prefect does not know this key"):
            _prefect(closed, monkeypatch)
        for key in ({PREFECT_API_KEY: "t0ken"}, {PREFECT_API_AUTH_STRING: "ann:s3cret"}):
            with temporary_settings(key):
                _prefect(closed, monkeypatch)
    insecure = {PREFECT_API_TLS_INSECURE_SKIP_VERIFY: True, PREFECT_API_KEY: "t0ken"}
    with temporary_settings(insecure):
        _prefect(closed, monkeypatch)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_proxy_that_does_not_answer_is_named_and_this_machine_is_asked_past_it(
    closed: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    client: str,
) -> None:
    ask, setting = CLIENTS[client]
    monkeypatch.setenv(setting, str(authority.file))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"http://ann:s3cret@127.0.0.1:{free.getsockname()[1]}"
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    with (
        temporary_settings({PREFECT_API_SSL_CERT_FILE: str(authority.file)}),
        pytest.raises(PatchaeError, match="cannot be reached through the proxy") as raised,
    ):
        ask("https://far.plant.example", monkeypatch)
    assert raised.value.exit_code == 3
    assert "far.plant.example in NO_PROXY" in str(raised.value.mend)
    assert "s3cret" not in str(raised.value)
    spare_loopback()
    with (
        temporary_settings({PREFECT_API_SSL_CERT_FILE: str(authority.file)}),
        pytest.raises(PatchaeError) as raised,
    ):
        ask(closed, monkeypatch)
    assert "proxy" not in str(raised.value)


@pytest.mark.parametrize("client", ["mlflow", "prefect"])
def test_a_proxy_that_no_package_here_speaks_to_is_said(
    monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(ConfigError, match="asked through a SOCKS proxy"):
        CLIENTS[client][0]("http://far.plant.example", monkeypatch)
