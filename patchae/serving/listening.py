"""The addresses that the service listens at, taken before anything else is done.

Models take a while to be proven and loaded; whoever names a port that another process has is told
so first.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from patchae.errors import UsageError

BACKLOG = 2048
"""Connections that may wait to be taken up, as many as uvicorn asks for."""


@contextmanager
def bound(host: str, port: int) -> Iterator[list[socket.socket]]:
    """A socket at each address of a host, closed after the block; nobody can connect yet.

    Raises:
        UsageError: the host is none of this machine, or the port is taken.
    """
    with ExitStack() as stack:
        made = []
        unknown: OSError | None = None
        try:
            for family, kind, protocol, _, address in _addresses(host, port):
                try:
                    one = stack.enter_context(socket.socket(family, kind, protocol))
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:  # else it would be IPv4's address as well
                        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    one.bind(address)
                    made.append(one)
                except OSError as error:  # `localhost` names ::1 also where there is no IPv6
                    if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                        raise
                    unknown = error
            if not made:
                raise unknown or OSError(errno.EADDRNOTAVAIL, "it has no address")
        except OSError as error:
            raise _taken(host, port, error) from None
        yield made


def _addresses(host: str, port: int) -> list[tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:
        raise OSError(errno.EADDRNOTAVAIL, "it is no name of a host") from None
    return list(dict.fromkeys(found))


def listen(sockets: Sequence[socket.socket]) -> None:
    """Let askers connect; they are answered when the server runs.

    Raises:
        UsageError: another process was faster.
    """
    for one in sockets:
        try:
            one.listen(BACKLOG)
        except OSError as error:
            host, port = one.getsockname()[:2]
            raise _taken(host, port, error) from None


def _taken(host: str, port: int, error: OSError) -> UsageError:
    return UsageError(
        f"{host}, port {port}: nothing can listen there: {error.strerror or error}",
        where="--host, --port",
        mend="name another port, or end the process that has it",
    )
