"""Prefect's server as Prefect's own settings name it, and what a person is told when it fails.

The settings are the environment's, those of `.env`, `prefect.toml` and `pyproject.toml` in the
current folder, and the profile's: Prefect reads them, and nothing here does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patchae.errors import AccessRefused, PatchaeError, StoreUnreachable
from patchae.network import PREFECT, no_file, not_the_api, shown, unreachable

if TYPE_CHECKING:
    from httpx import Response
    from prefect.client.orchestration import SyncPrefectClient

_SECONDS = 10.0


def api_url() -> str | None:
    """Return the address of Prefect's API; None where Prefect starts a server of its own."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url or None


def server() -> Server | None:
    """Return the server that Prefect's settings name, if they name one."""
    url = api_url()
    return Server(url.rstrip("/")) if url else None


@dataclass(frozen=True)
class Server:
    """A server of Prefect, asked through Prefect's client, once and without patience.

    It is what `patchae.servers.PrefectServer` describes.
    """

    url: str

    def version(self) -> str:
        """Return the server's version."""
        return str(self._content("GET", "/admin/version", str))

    def live_workers(self, pool: str) -> int | None:
        """Return how many live workers a pool has; None when there is no such pool."""
        workers = self._content("POST", f"/work_pools/{pool}/workers/filter", list, missing=True)
        return None if workers is None else [one["status"] for one in workers].count("ONLINE")

    def date(self) -> str | None:
        """Return the `Date` of an answer."""
        date: str | None = self._ask("GET", "/health").headers.get("Date")
        return date

    def _content(self, method: str, path: str, kind: type, *, missing: bool = False) -> Any:
        answer = self._ask(method, path)
        if missing and answer.status_code == 404:
            return None
        if answer.status_code >= 500:
            why = f"it answers {answer.status_code}"
            raise unreachable(PREFECT, self.url, RuntimeError(why), mend="look into its log")
        with suppress(ValueError):
            content = answer.json()
            if answer.is_success and isinstance(content, kind):
                return content
        raise self._not_the_api(path, answer.status_code)

    def _ask(self, method: str, path: str) -> Response:
        from httpx import HTTPStatusError
        from prefect.settings import (
            PREFECT_API_REQUEST_TIMEOUT,
            PREFECT_CLIENT_MAX_RETRIES,
            temporary_settings,
        )

        once = {PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: _SECONDS}
        with temporary_settings(once), connecting(self.url), client() as prefect:
            body: dict[str, Any] | None = {} if method == "POST" else None
            try:
                return prefect._client.request(method, path, json=body)
            except HTTPStatusError as error:
                if error.response.status_code in (401, 403):
                    raise
                return error.response
            except ValueError:  # before a POST the client asks for a token, and a page is none
                raise self._not_the_api(path, 200) from None

    def _not_the_api(self, path: str, status: int) -> StoreUnreachable:
        return not_the_api(
            PREFECT, f"{self.url}{path}", status, "the server's API, which ends with /api"
        )


@contextmanager
def client() -> Iterator[SyncPrefectClient]:
    """A client of Prefect's, for one server or another."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as connected:
        yield connected


@contextmanager
def connecting(where: str) -> Iterator[None]:
    """Failures of Prefect's client inside as the error that says what to do about them.

    Raises:
        ConfigError: what is set for the client cannot be used.
        AccessRefused: the server does not know the key.
        StoreUnreachable: it does not answer.
    """
    from httpx import HTTPError

    try:
        yield
    except PatchaeError:
        raise
    except (RuntimeError, ValueError, HTTPError, ImportError, OSError) as error:
        raise failure(where, error) from None


def failure(where: str, error: Exception) -> PatchaeError:
    """Return what to raise where Prefect's client failed."""
    from httpx import HTTPStatusError
    from prefect.settings import get_current_settings

    if isinstance(error, HTTPStatusError) and error.response.status_code in (401, 403):
        return AccessRefused(
            "Prefect does not know this key",
            where=shown(where),
            mend="set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY",
        )
    api = get_current_settings().api
    file = api.ssl_cert_file
    if isinstance(error, FileNotFoundError) and file and not api.tls_insecure_skip_verify:
        return no_file(PREFECT, file, PREFECT.authorities)
    return unreachable(
        PREFECT,
        where,
        error,
        mend="start the server or correct PREFECT_API_URL (`prefect config view` shows where it is"
        " set); unset it for the embedded one",
    )
