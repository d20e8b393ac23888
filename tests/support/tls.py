"""A server with TLS before one without: certificates of an authority of one's own, accounts."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)
_PIECE = 65_536
_HELLO = b"\x16"


class Authority:
    """Signs certificates for the loopback address; `file` is what clients trust it by."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Plant")])
        own = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file = folder / "authority.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str = "127.0.0.1", *, age: timedelta = _DAY) -> ssl.SSLContext:
        """What a server needs that shows a certificate for a host; valid from `age` ago on."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        alternative = x509.SubjectAlternativeName([name])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._signed(subject, key, alternative, age=age)
        file = self._folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        *,
        age: timedelta = _DAY,
    ) -> x509.Certificate:
        begin = datetime.now(UTC) - age
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + 30 * _DAY)
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .add_extension(own, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )


class Door:
    """Passes requests on to a port, if they show one of some values of `Authorization`.

    The first request of a connection is looked at. Without a `target` it answers by itself, with
    the path; `asked` has the first line of every connection.
    """

    def __init__(self, target: int | None, allowed: Collection[str] | None) -> None:
        self.asked: list[str] = []
        self._target = target
        self._allowed = allowed

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            head = await reader.readexactly(1)
            if head == _HELLO:  # of TLS, at a door that has none
                await _answer(writer, "400 Bad Request", "")
                return
            head += await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            self.asked.append(lines[0])
            shown = [line for line in lines if line.lower().startswith("authorization:")]
            upgrade = any(line.lower().startswith("upgrade:") for line in lines)
            given = shown[0].partition(":")[2].strip() if shown else ""
            if self._allowed is not None and given not in self._allowed and not upgrade:
                await _answer(writer, "401 Unauthorized", "who is there?")
            elif self._target is None:
                await _answer(writer, "200 OK", lines[0])
            else:
                far, onward = await asyncio.open_connection("127.0.0.1", self._target)
                onward.write(head)
                await asyncio.gather(_pass_on(reader, onward), _pass_on(far, writer))
        with suppress(OSError, ssl.SSLError):
            writer.close()


@contextmanager
def door(
    target: int | None = None,
    context: ssl.SSLContext | None = None,
    allowed: Collection[str] | None = None,
) -> Iterator[tuple[str, Door]]:
    """A door on a free port of the loopback address; yields its own address, too."""
    made = Door(target, allowed)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # clients that do not trust it end in the middle
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}", made
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _answer(writer: asyncio.StreamWriter, status: str, body: str) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(f"{head}{body}".encode("latin-1"))
    await writer.drain()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        with suppress(OSError, ssl.SSLError):
            target.close()
