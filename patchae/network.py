"""Why a server cannot be reached, whichever client asked it: certificate, proxy, or no answer.

MLflow's client speaks through requests, Prefect's through httpx, S3's through botocore and the
ledger's through libpq. Each wraps what OpenSSL says in errors of its own; the words are the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from patchae.errors import ConfigError, PatchaeError, StoreUnreachable


@dataclass(frozen=True)
class Client:
    """A server as its client is configured: the settings that a message names."""

    server: str
    address: str
    authorities: str
    """Where the certificates of trusted authorities are."""
    certificate: str
    """Where the certificate is that the client shows."""


MLFLOW = Client(
    "MLflow",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
)
PREFECT = Client("Prefect", "PREFECT_API_URL", "PREFECT_API_SSL_CERT_FILE", "PREFECT_API_URL")
S3 = Client("S3", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL")
LEDGER = Client("the ledger", "PATCHAE_LEDGER_URL", "PGSSLROOTCERT", "PGSSLCERT")

_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^/\s]*@")
_VERIFY = re.compile(r"certificate verify failed(?:: ([^(\n]*))?", re.IGNORECASE)
_ACCOUNT = re.compile(r"\b407\b")
_NO_FILE = re.compile(
    r"invalid path: ['\"]?([^'\"\s)]+)|root certificate file \"([^\"]+)\" does not exist"
)
_NO_CERTIFICATE = ("NO_CERTIFICATE_OR_CRL_FOUND", "PEM lib", "could not read root certificate file")
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "record layer failure",
    "[SSL: HTTP_REQUEST]",
    "server does not support SSL",
)
_OTHER_HOST = ("does not match host name", "doesn't match '")
_SHOW_ONE = ("CERTIFICATE_REQUIRED", "certificate required", "requires a valid client certificate")


def shown(address: str) -> str:
    """Return an address as a message may show it: without its password."""
    return _PASSWORD.sub(r"\1***@", address)


def proxy_for(address: str) -> str | None:
    """Return the proxy that the environment names for an address, as all HTTP clients read it."""
    url = urlsplit(address)
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if proxy and url.hostname and not proxy_bypass(url.hostname) else None


def unreachable(
    client: Client,
    where: str,
    error: BaseException,
    *,
    mend: str,
    why: str = "",
    url: str | None = None,
) -> PatchaeError:
    """Return the error to raise where a client failed: what it met, and the setting that mends it.

    Args:
        client: which client failed.
        where: what a person wrote: the address, as the message shows it.
        error: what the client raised.
        mend: for what is neither a certificate's nor a proxy's fault.
        why: for the same; the error's own first line by default.
        url: what was asked, where that is another address.
    """
    url = url or where
    causes = list(_causes(error))
    text = " ".join(map(str, causes))
    no_answer = any(
        isinstance(cause, OSError | ImportError) for cause in causes
    ) or _ACCOUNT.search(text)
    return (
        _no_file(client, text)
        or _certificate(client, where, _host(url), text)
        or (_socks(client, text) or _proxy(client, where, url, text) if no_answer else None)
        or StoreUnreachable(
            f"{client.server} cannot be used: {why or _first_line(error)}",
            where=shown(where),
            mend=mend,
        )
    )


def not_the_api(client: Client, where: str, status: int, mend: str) -> StoreUnreachable:
    """What to raise where something else than a server's API answers, such as a page for people."""
    return StoreUnreachable(
        f"what answers here is not {client.server}'s API (status {status})",
        where=shown(where),
        mend=f"set {client.address} to {mend}",
    )


def no_file(client: Client, file: str, setting: str) -> ConfigError:
    """Return what to raise where a setting names a file of certificates that is not there."""
    return ConfigError(
        f"the file of certificates for {client.server} is not there",
        where=file,
        mend=f"correct {setting}",
    )


def _no_file(client: Client, text: str) -> ConfigError | None:
    if missing := _NO_FILE.search(text):
        setting = client.certificate if "TLS certificate file" in text else client.authorities
        return no_file(client, missing[1] or missing[2], setting)
    file = os.environ.get(client.authorities)
    if file and "No such file" in text and not Path(file).exists():
        return no_file(client, file, client.authorities)
    if any(word in text for word in _NO_CERTIFICATE):
        return ConfigError(
            f"the file of certificates for {client.server} holds none",
            where=client.authorities,
            mend="name a PEM file with the certificate of the authority",
        )
    return None


def _certificate(client: Client, where: str, host: str, text: str) -> StoreUnreachable | None:
    if failed := _VERIFY.search(text):
        why = (failed[1] or "").strip(" .'\"") or "its authority is not known here"
        if "expired" in why or "not yet valid" in why:
            mend = "renew it on the server; check the clock of this machine"
        elif "mismatch" in why or "not valid for" in why:
            mend = f"write the host in {client.address} as the certificate names it"
        else:
            mend = f"set {client.authorities} to the file of the authority that signed it"
        return StoreUnreachable(
            f"the certificate of {host} is not trusted: {why}", where=shown(where), mend=mend
        )
    if any(word in text for word in _OTHER_HOST):
        return StoreUnreachable(
            f"the certificate of {host} is not trusted: it was made for another host",
            where=shown(where),
            mend=f"write the host in {client.address} as the certificate names it",
        )
    if any(word in text for word in _NO_TLS):
        return StoreUnreachable(
            f"{host} does not speak TLS",
            where=shown(where),
            mend=f"correct scheme and port in {client.address}: http:// is without TLS",
        )
    if any(word in text for word in _SHOW_ONE):
        return StoreUnreachable(
            f"{host} asks for a certificate of the client, and none is shown",
            where=shown(where),
            mend=f"set {client.certificate} to the file with certificate and key",
        )
    return None


def _socks(client: Client, text: str) -> ConfigError | None:
    """httpx does not even ask servers past a SOCKS proxy without the package that speaks it."""
    if "socksio" not in text and "dependencies for SOCKS" not in text:
        return None
    return ConfigError(
        f"{client.server} is to be asked through a SOCKS proxy, and no package here speaks that",
        where="ALL_PROXY, HTTPS_PROXY or HTTP_PROXY",
        mend="pip install socksio pysocks; or unset it",
    )


def _proxy(client: Client, where: str, url: str, text: str) -> PatchaeError | None:
    proxy = proxy_for(url)
    if proxy is None:
        return None
    mend = f"correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name {_host(url)} in NO_PROXY"
    why = (
        "it asks for an account"
        if _ACCOUNT.search(text)
        else f"no answer through it ({shown(text)[:120]})"
    )
    return StoreUnreachable(
        f"{client.server} cannot be reached through the proxy {shown(proxy)}: {why}",
        where=shown(where),
        mend=mend,
    )


def _host(address: str) -> str:
    return urlsplit(address).hostname or address


def _first_line(error: BaseException) -> str:
    return shown(str(error).strip().partition("\n")[0]) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
