"""Clients that are slow, go away, or speak something else."""

from __future__ import annotations

import socket

import pytest

from tests.integration.serving.conftest import LENS, TOKEN, Service, until


def connect(service: Service) -> socket.socket:
    """A bare connection."""
    return socket.create_connection(("127.0.0.1", service.port), timeout=30)


def head(length: int) -> bytes:
    """The head of a request that announces a body."""
    return (
        f"POST /v1/score/{LENS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def test_a_client_that_never_ends_its_body_is_told_so(service: Service) -> None:
    with connect(service) as slow:
        slow.sendall(head(1000) + b"some")
        assert b" 408 " in slow.recv(200)
    until(lambda: service.parts.budget.held == 0)
    assert service.version()


def test_a_length_above_the_limit_is_refused_before_anything_is_sent(service: Service) -> None:
    with connect(service) as one:
        one.sendall(head(10**9))
        assert b" 413 " in one.recv(200)


def counted(service: Service, code: int) -> float:
    """Requests that were answered so."""
    told = service.parts.gauges.registry.get_sample_value
    return told("patchae_requests_total", {"model": LENS, "code": str(code)}) or 0


def test_a_client_that_goes_away_leaves_nothing_and_is_no_failure(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    gone_before, failed_before = counted(service, 499), counted(service, 500)
    for _ in range(20):
        with connect(service) as gone:
            gone.sendall(head(100_000) + bytes(50_000))
    until(lambda: counted(service, 499) == gone_before + 20)
    assert service.parts.budget.held == 0
    assert counted(service, 500) == failed_before
    assert "Traceback" not in caplog.text
    assert service.version()


def test_what_is_not_http_is_refused(service: Service) -> None:
    for said in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"A" * 200_000):
        with connect(service) as odd:
            try:
                odd.sendall(said)
                odd.shutdown(socket.SHUT_WR)
                told = odd.recv(200)
            except OSError:  # it had hung up before
                continue
            assert told == b"" or b" 400 " in told
    assert service.version()


def test_slow_clients_together_may_not_fill_the_memory(service: Service) -> None:
    """Each holds what it sent; when all that may be held is, the next one is told to come back."""
    content = bytes(350_000)
    held = [connect(service) for _ in range(7)]
    try:
        codes = []
        for one in held:
            one.sendall(head(len(content) + 10) + content)
        for one in held:
            codes.append(int(one.recv(200).split()[1]))
        assert set(codes) == {408, 429}
        assert codes.count(429) >= 1
    finally:
        for one in held:
            one.close()
    until(lambda: service.parts.budget.held == 0)
    assert service.version()
