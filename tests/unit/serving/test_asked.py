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


FORM = b'--x\r\nContent-Disposition: form-data; name="i"; filename="%d.png"\r\n\r\n%d\r\n'
TWO = FORM % (1, 1) + FORM % (2, 2)


def files(body: bytes) -> list[bytes]:
    """What is found in a form."""
    found = files_of(request("multipart/form-data; boundary=x"), body, Limits())
    return [one.content for one in asyncio.run(found)]


@pytest.mark.parametrize("after", [b"", b"\r\n", b"  \r\n", b"\r\nan epilogue\r\n--x\r\n"])
def test_whatever_may_follow_a_closing_boundary_changes_nothing(after: bytes) -> None:
    assert files(TWO + b"--x--" + after) == [b"1", b"2"]


def test_a_form_that_was_cut_off_anywhere_is_no_form() -> None:
    """Else its last file would be left out, and the others be answered as if they were all."""
    whole = TWO + b"--x--"
    for length in range(len(whole)):
        with pytest.raises(HTTPException) as found:
            files(whole[:length])
        assert found.value.status_code == 400
        assert "closing boundary" in found.value.detail


def test_what_looks_like_a_closing_boundary_within_a_line_closes_nothing() -> None:
    for body in (FORM % (1, 1) + b"--x--y", FORM % (1, 1) + b"y--x--\r\n"):
        with pytest.raises(HTTPException, match="closing boundary"):
            files(body)


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
