"""What an HTTP request asks: image files, in one of three forms, within limits.

image/png, image/jpeg ...        the body is the file
multipart/form-data              any number of fields that are files
application/json                 {"images": [{"name": "a.png", "data": "<base64>"}, ...]}
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from patchae.predictions.record import as_text

BINARY = "application/octet-stream"
_STRUCTURE, _MOST_STRUCTURE = (b"[", b"{", b",", b":"), 1000
"""What makes up JSON, and how much of it there may be for each image; names have it, too."""
_PIECE = 1024 * 1024
_LINE_END = re.compile(rb"[ \t]*(?:\r?\n|\Z)")


@dataclass(frozen=True)
class Limits:
    """What one asker, and all of them together, may take."""

    body_bytes: int = 64 * 1024 * 1024
    """Of one request."""
    all_bytes: int = 256 * 1024 * 1024
    """Of all requests that are being answered."""
    images: int = 64
    """Of one request."""
    pixels: int = 50_000_000
    """Of one image."""
    body_s: float = 20.0
    """Until a request is there as a whole."""
    answer_s: float = 30.0
    """From then until it is answered."""


@dataclass(frozen=True)
class File:
    """One image file."""

    name: str
    content: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", as_text(self.name))


@dataclass
class Budget:
    """Bytes of requests that are held in memory."""

    limits: Limits
    held: int = field(default=0, init=False)

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body of a request, held for the length of the block.

        Raises:
            HTTPException: 408 too slow, 411 or 413 too large, 429 too much of others is held, 499
                the asker hung up.
        """
        taken = 0
        try:
            declared = request.headers.get("content-length")
            if declared is not None and int(declared) > self.limits.body_bytes:
                raise too_large(self.limits)
            chunks = []
            async with asyncio.timeout(self.limits.body_s):
                async for chunk in request.stream():
                    if taken + len(chunk) > self.limits.body_bytes:
                        raise too_large(self.limits)
                    if self.held + len(chunk) > self.limits.all_bytes:
                        raise busy("the service holds as many images as it may")
                    self.held += len(chunk)
                    taken += len(chunk)
                    chunks.append(chunk)
            body = b"".join(chunks)
            chunks.clear()  # else it would be in memory twice
            yield body
        except TimeoutError:
            raise HTTPException(
                408, f"the body was not there after {self.limits.body_s:g} s"
            ) from None
        except ClientDisconnect:
            # Nobody reads it; it is what is counted, and no failure of the service.
            raise HTTPException(499, "the asker hung up before the body was there") from None
        finally:
            self.held -= taken


def too_large(limits: Limits) -> HTTPException:
    """The refusal of a large body."""
    return HTTPException(413, f"a request may have {limits.body_bytes:,} bytes at most")


def busy(why: str) -> HTTPException:
    """The refusal of one request too many."""
    return HTTPException(429, why, headers={"Retry-After": "1"})


async def files_of(request: Request, body: bytes, limits: Limits) -> list[File]:
    """The image files in a request.

    Raises:
        HTTPException: 400 not what its type says, 413 too many, 415 of another type, 422 none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("image/") or kind == BINARY:
        found = [File(request.query_params.get("name", ""), body)]
    elif kind == "multipart/form-data":
        found = await _of_form(request, body, limits)
    elif kind == "application/json":
        found = await asyncio.to_thread(_of_json, body, limits)
    else:
        raise HTTPException(415, "send image/*, multipart/form-data or application/json, see /docs")
    if not found:
        raise HTTPException(422, "there is no image in the request")
    if len(found) > limits.images:
        raise _too_many(limits)
    return found


def _too_many(limits: Limits) -> HTTPException:
    return HTTPException(413, f"a request may have {limits.images} images at most")


async def _of_form(request: Request, body: bytes, limits: Limits) -> list[File]:
    from starlette.datastructures import UploadFile

    _require_end(request, body)
    again = Request(request.scope, _replayed(body))
    try:
        async with again.form(
            max_files=limits.images + 1, max_fields=8, max_part_size=4096
        ) as form:
            return [
                File(value.filename or "", await value.read())
                for _, value in form.multi_items()
                if isinstance(value, UploadFile)
            ]
    except HTTPException as error:
        if "Too many files" in str(error.detail):
            raise _too_many(limits) from None
        raise HTTPException(400, f"not multipart/form-data: {error.detail}") from None


def _require_end(request: Request, body: bytes) -> None:
    """Refuse a form that was cut off: its last file is not whole, and would be left out silently.

    Behind the closing boundary a line break and an epilogue may stand (RFC 2046, section 5.1.1).
    """
    from python_multipart.multipart import parse_options_header

    _, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if boundary is None:
        return  # what reads the form says so
    closing = b"\r\n--" + boundary + b"--"
    at = 0 if body.startswith(closing[2:]) else body.find(closing) + 2
    if at == 1 or not _LINE_END.match(body, at + len(closing) - 2):
        raise HTTPException(
            400, "not multipart/form-data: it ends before its closing boundary; send it whole"
        )


def _replayed(body: bytes) -> Receive:
    sent = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _of_json(body: bytes, limits: Limits) -> list[File]:
    shape = 'expected {"images": [{"name": "a.png", "data": "<base64>"}, ...]}'
    if _grows(body, _MOST_STRUCTURE * (limits.images + 1)):
        raise HTTPException(400, shape)
    try:
        told = json.loads(body)["images"]
        if len(told) > limits.images:
            raise _too_many(limits)
        return [
            File(_name(one.get("name", "")), base64.b64decode(one["data"], validate=True))
            for one in told
        ]
    except binascii.Error:
        raise HTTPException(400, "`data` is not base64") from None
    except RecursionError:
        raise HTTPException(400, "JSON of such depth is not read") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise HTTPException(400, shape) from None


def _grows(body: bytes, most: int) -> bool:
    """Whether JSON has more structure than `most`: "[[],[],..." would become twenty times as large.

    Base64 has none of it. By pieces, for no other thread works while one is counted.
    """
    for start in range(0, len(body), _PIECE):
        piece = body[start : start + _PIECE]
        most -= sum(map(piece.count, _STRUCTURE))
        if most < 0:
            return True
    return False


def _name(told: object) -> str:
    if not isinstance(told, str):
        raise TypeError("a name is a string")
    return told
