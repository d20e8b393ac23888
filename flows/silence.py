"""Whether an error says that Prefect's server is not there just now, and not that it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from httpx import HTTPError, HTTPStatusError, TransportError

from flows.connection import api_url
from patchae.errors import StoreUnreachable


def is_silence(error: HTTPError) -> bool:
    """No connection, or an answer of 500 and above: its database restarts, or a proxy's server."""
    if isinstance(error, HTTPStatusError):
        return error.response.status_code >= 500
    return isinstance(error, TransportError)


@contextmanager
def silence_told() -> Iterator[None]:
    """Silence of the server inside as what is tried again; a refusal stays what it is.

    Raises:
        StoreUnreachable: Prefect does not answer.
    """
    try:
        yield
    except HTTPError as error:
        if not is_silence(error):
            raise
        raise StoreUnreachable(
            f"Prefect does not answer: {error}",
            where=api_url() or "PREFECT_API_URL",
            mend="start the server again; the run goes on by itself",
        ) from None
