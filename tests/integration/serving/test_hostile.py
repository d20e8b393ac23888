"""Thirty-odd ways to ask wrongly: each is refused for what it is, and the service goes on."""

from __future__ import annotations

import base64
import json
import struct
import threading
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.integration.serving.conftest import LENS, TOKEN, Service

Ask = Callable[[Service], httpx.Response]


def png(width: int = 8, height: int = 8, mode: str = "RGB") -> bytes:
    """A plain image."""
    return encoded(Image.new(mode, (width, height)))


def encoded(image: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    """An image as a file's bytes."""
    buffer = BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def claims(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG whose header claims a size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


def tiff(frames: int) -> bytes:
    """A TIFF of so many images of one pixel."""
    facts = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 278: 1, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in facts.items())
    size = 2 + len(entries) + 4
    directories = b"".join(
        struct.pack("<H", len(facts)) + entries + struct.pack("<I", at * (at < 10 + frames * size))
        for at in range(10 + size, 10 + (frames + 1) * size, size)
    )
    return struct.pack("<2sHI", b"II", 42, 10) + bytes(2) + directories


def raw(content: bytes) -> Ask:
    """Send bytes as an image."""
    return lambda service: service.post(content)


def typed(content: bytes, kind: str | None, **head: str) -> Ask:
    """Send bytes of a type."""
    given = {"Content-Type": kind} if kind else {}
    return lambda service: service.client.post(
        f"/v1/score/{LENS}", content=content, headers=given | head
    )


def as_json(value: Any) -> Ask:
    """Send JSON."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return typed(content, "application/json")


def form(*files: tuple[str, Any]) -> Ask:
    """Send a form."""
    return lambda service: service.client.post(f"/v1/score/{LENS}", files=list(files))


def at(path: str, method: str = "POST", **head: str) -> Ask:
    """Send a good image elsewhere, or otherwise."""
    return lambda service: service.client.request(
        method, path, content=png(), headers={"Content-Type": "image/png"} | head
    )


def noise(side: int) -> bytes:
    """An image that does not compress."""
    return encoded(
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8))
    )


TEXT = base64.b64encode(png()).decode()
BOUND = "multipart/form-data; boundary=x"
FORM = (
    b"".join(
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n%s\r\n'
        % png()
        for _ in range(2)
    )
    + b"--x--\r\n"
)
HOSTILE: dict[str, tuple[int, Ask]] = {
    "empty body": (422, raw(b"")),
    "text": (422, raw(b"hello")),
    "half of a png": (422, raw(noise(32)[:900])),
    "half of a jpeg": (422, raw(encoded(Image.effect_noise((64, 64), 90), "JPEG")[:600])),
    "a png with a wrong checksum": (422, raw(png()[:-20] + b"\0" * 20)),
    "a bomb: a header that claims much": (422, raw(claims(60_000, 60_000))),
    "a bomb: zeros that unpack to much": (422, raw(claims(4_000, 3_000, bytes(36_004_000)))),
    "a header without pixels": (422, raw(claims(16, 16))),
    "no width": (422, raw(claims(0, 16))),
    "a gif": (422, raw(encoded(Image.new("L", (8, 8)), "GIF"))),
    "half of a webp": (422, raw(encoded(Image.effect_noise((64, 64), 90), "WEBP")[:600])),
    "a postscript file": (422, raw(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")),
    "svg": (422, raw(b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
    "a tiff of several images": (
        422,
        raw(
            encoded(
                Image.new("L", (8, 8)),
                "TIFF",
                save_all=True,
                append_images=[Image.new("L", (8, 8))],
            )
        ),
    ),
    "a tiff of very many images": (422, raw(tiff(3_000))),
    "a tiff of floats": (422, raw(encoded(Image.new("F", (8, 8)), "TIFF"))),
    "a tiff that points beyond its end": (422, raw(b"II*\0" + struct.pack("<I", 2**31))),
    "a zip": (422, raw(b"PK\x03\x04" + bytes(200))),
    "too many bytes": (413, raw(noise(512))),
    "another type": (415, typed(png(), "text/plain")),
    "no type": (415, typed(png(), None)),
    "json that is none": (400, as_json(b"{")),
    "json of another shape": (400, as_json([1, 2])),
    "json without data": (400, as_json({"images": [{"name": "a"}]})),
    "json with a number for data": (400, as_json({"images": [{"data": 7}]})),
    "json of great depth": (400, as_json(b"[" * 100_000)),
    "json with a number for a name": (400, as_json({"images": [{"name": 7, "data": TEXT}]})),
    "json with null for a name": (400, as_json({"images": [{"name": None, "data": TEXT}]})),
    "no base64": (400, as_json({"images": [{"data": "@@@"}]})),
    "no images": (422, as_json({"images": []})),
    "too many images": (413, as_json({"images": [{"data": TEXT}] * 5})),
    "a form without a boundary": (400, typed(b"--x", "multipart/form-data")),
    "a form cut short": (400, typed(b"--x\r\nContent-Disposition: form-da", BOUND)),
    "a form whose last file is cut short": (400, typed(FORM[:-30], BOUND)),
    "a form without its closing boundary": (400, typed(FORM.removesuffix(b"--\r\n"), BOUND)),
    "a form without files": (422, typed(b"--x--\r\n", BOUND)),
    "too many files": (413, form(*[("image", png())] * 5)),
    "one bad file of three": (422, form(("a", png()), ("b", b"no"), ("c", png()))),
    "an unknown model": (404, at("/v1/score/works.nothing")),
    "a model out of the folder": (404, at("/v1/score/..%2f..%2fetc%2fpasswd")),
    "a long name": (404, at(f"/v1/score/{'a' * 5000}")),
    "another method": (405, at(f"/v1/score/{LENS}", "PUT")),
    "no token": (401, at(f"/v1/score/{LENS}", Authorization="")),
    "another token": (401, at(f"/v1/score/{LENS}", Authorization="Bearer open sesami")),
    "a token in another scheme": (401, at(f"/v1/score/{LENS}", Authorization=f"Basic {TOKEN}")),
    "a query that is none": (422, at(f"/v1/score/{LENS}?map=perhaps")),
}


def test_there_are_thirty_of_them() -> None:
    assert len(HOSTILE) >= 30


@pytest.mark.parametrize("kind", HOSTILE)
def test_each_is_refused_for_what_it_is(service: Service, kind: str) -> None:
    expected, ask = HOSTILE[kind]
    try:
        told = ask(service)
    except httpx.RemoteProtocolError:
        pytest.fail("the connection ended without an answer")
    assert told.status_code == expected, told.text
    assert told.json()["detail"]
    assert "Traceback" not in told.text
    assert service.version()


def test_all_of_them_at_once_take_little_memory(service: Service) -> None:
    process = psutil.Process()
    before = most = process.memory_info().rss

    def several() -> None:
        for _, ask in HOSTILE.values():
            ask(service)

    threads = [threading.Thread(target=several) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        while one.is_alive():
            one.join(0.01)
            most = max(most, process.memory_info().rss)
    assert most - before < 300e6
    assert service.parts.budget.held == 0
    assert service.version()


def test_a_full_queue_is_429_and_says_when(service: Service, monkeypatch: Any) -> None:
    monkeypatch.setattr(service.parts.engine, "_most", 0)
    told = service.post(png())
    assert told.status_code == 429
    assert told.headers["Retry-After"] == "1"
    monkeypatch.undo()
    assert service.version()


def test_no_answer_in_time_is_504(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    champion = service.parts.following.slots[LENS].champion
    assert champion
    ask = champion.ask

    def slowly(images: Any) -> Any:
        release.wait(30)
        return ask(images)

    with monkeypatch.context() as patch:
        patch.setitem(champion.__dict__, "ask", slowly)
        patch.setitem(service.parts.limits.__dict__, "answer_s", 0.3)
        told = service.post(png())
        release.set()
    assert told.status_code == 504
    assert service.version()
