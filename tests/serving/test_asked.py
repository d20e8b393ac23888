"""What a request costs before anything of it is judged."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import tracemalloc
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from patchae.serving import asked
from patchae.serving.asked import Budget, Limits, files_of

MB = 1024 * 1024


def request(kind: str, chunks: list[int] | None = None) -> Request:
    """A request with a body in chunks of so many bytes."""
    left = list(chunks or [])

    async def receive() -> MutableMapping[str, Any]:
        size = left.pop(0)
        return {"type": "http.request", "body": bytes(size), "more_body": bool(left)}

    head = [(b"content-type", kind.encode())]
    return Request({"type": "http", "headers": head, "query_string": b"", "path": "/"}, receive)


def test_a_body_is_in_memory_once() -> None:
    async def held() -> tuple[int, int]:
        async with Budget(Limits()).body(request("image/png", [MB] * 16)) as body:
            return len(body), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        size, traced = asyncio.run(held())
    finally:
        tracemalloc.stop()
    assert size == 16 * MB
    assert traced < 1.3 * size


@pytest.mark.parametrize("item", ["[]", "{}", "0", '""', '{"a":0}'])
def test_json_that_would_grow_is_refused_before_it_is_read(item: str) -> None:
    body = ('{"images":[' + ",".join([item] * 500_000) + "]}").encode()
    tracemalloc.start()
    try:
        with pytest.raises(HTTPException) as found:
            asyncio.run(files_of(request("application/json"), body, Limits()))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.value.status_code == 400
    assert most < 2 * MB


def test_names_may_have_what_json_is_made_of() -> None:
    images = [{"name": "[{,:}]" * 80, "data": base64.b64encode(b"x").decode()}] * 64
    body = json.dumps({"images": images}).encode()
    found = asyncio.run(files_of(request("application/json"), body, Limits()))
    assert [one.name for one in found] == ["[{,:}]" * 80] * 64


def test_json_is_read_beside_the_loop_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a moment there is a moment in which nobody is answered, /healthz neither."""
    threads: list[threading.Thread] = []
    real = json.loads

    def loads(body: bytes) -> Any:
        threads.append(threading.current_thread())
        return real(body)

    monkeypatch.setattr(asked.json, "loads", loads)
    body = json.dumps({"images": [{"data": base64.b64encode(b"x").decode()}]}).encode()
    (one,) = asyncio.run(files_of(request("application/json"), body, Limits()))
    assert one.content == b"x"
    assert threads
    assert threading.main_thread() not in threads
