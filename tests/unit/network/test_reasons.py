"""What a client's words mean, and what only looks like it."""

from __future__ import annotations

import pytest

from patchae.network import LEDGER, MLFLOW, Client, unreachable

SAID = {
    "timed out. To increase the timeout, set the environment variable MLFLOW_HTTP_REQUEST_TIMEOUT":
    "cannot be used",
    "[SSL: HTTP_REQUEST] http request (_ssl.c:1006)": "does not speak TLS",
    "SSL error: certificate verify failed": "is not trusted",
    'server certificate for "a" does not match host name "b"': "was made for another host",
    'root certificate file "gone.pem" does not exist': "is not there",
    "server does not support SSL, but SSL was required": "does not speak TLS",
    "connection requires a valid client certificate": "asks for a certificate of the client",
    "run 407 is not found": "cannot be used",
}  # fmt: skip


@pytest.mark.parametrize("text", SAID)
@pytest.mark.parametrize("client", [MLFLOW, LEDGER], ids=lambda client: client.server)
def test_each_reason_is_told_from_the_others(text: str, client: Client) -> None:
    error = unreachable(client, "https://far.example", RuntimeError(text), mend="start it")
    assert SAID[text] in str(error)
