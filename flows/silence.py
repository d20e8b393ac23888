"""Whether an error says that Prefect's server is not there just now, and not that it refuses."""

from __future__ import annotations

from httpx import HTTPError, HTTPStatusError, TransportError


def is_silence(error: HTTPError) -> bool:
    """No connection, or an answer of 500 and above: its database restarts, or a proxy's server."""
    if isinstance(error, HTTPStatusError):
        return error.response.status_code >= 500
    return isinstance(error, TransportError)
