"""One request to a server, and what a person needs to know when the answer is none of its own."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from patchae.errors import StoreUnreachable

if TYPE_CHECKING:
    from requests import Response

SECONDS = 10
_ADDRESSES = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "AWS_ENDPOINT_URL")
_API = {
    "MLflow": "set MLFLOW_TRACKING_URI to the server's own address",
    "Prefect": "set PREFECT_API_URL to the server's API, which ends with /api",
}


def content(answer: Response, name: str, kind: type) -> Any:
    """What a server's API tells.

    Raises:
        StoreUnreachable: it is something else, such as a page for people.
    """
    with suppress(ValueError):
        if isinstance(told := answer.json(), kind):
            return told
    raise StoreUnreachable(
        f"what answers here is not {name}'s API (status {answer.status_code})",
        where=answer.url,
        mend=_API[name],
    )


def ask(
    method: str, url: str, *, login: tuple[str, str] | None = None, body: Any = None
) -> Response:
    """Ask a server that a variable of the environment names.

    Raises:
        StoreUnreachable: it gives no answer.
    """
    import requests

    try:
        return requests.request(method, url, auth=login, json=body, timeout=SECONDS)
    except requests.RequestException as error:
        named = [name for name in _ADDRESSES if url.startswith(os.environ.get(name) or "-")]
        raise StoreUnreachable(
            f"the server does not answer ({type(error).__name__})",
            where=url,
            mend=f"start it, or correct {' or '.join(named)}",
        ) from None
