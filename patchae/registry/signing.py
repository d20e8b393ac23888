"""Signatures of rows of the ledger: Ed25519 (RFC 8032) over the digest of the row.

A digest stands for its row and, through `previous`, for every row before it; a signature therefore
says of the whole ledger up to there that the holder of the key wrote it. Rows are signed while
`PATCHAE_LEDGER_KEY` names a private key. A public key is written as its 32 bytes, hexadecimal.

    message     the 64 ASCII digits of the row's `digest`
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.errors import ConfigError, UsageError
from patchae.files import write_bytes
from patchae.registry.chain import Row
from patchae.settings import settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC = ".pub"
"""Behind the name of a private key's file: the file of the public one."""


@dataclass(frozen=True)
class Signature:
    """Of one row."""

    key: str
    """The public key, 64 hexadecimal digits."""
    value: str
    """128 hexadecimal digits."""

    def holds(self, digest: str) -> bool:
        """Whether the holder of the key signed this digest; False for what is no signature."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            key.verify(bytes.fromhex(self.value), digest.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


Signatures = Mapping[int, Signature]
"""By the number of the row."""


class Signer:
    """A private key at work. Law: `Signer(k).sign(d).holds(d)`, and of no other digest."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    @classmethod
    def configured(cls) -> Signer | None:
        """The key that `PATCHAE_LEDGER_KEY` names; None where it names none.

        Raises:
            ConfigError: there is no private Ed25519 key in that file.
        """
        file = settings().ledger_key
        return cls.read(Path(file)) if file else None

    @classmethod
    def read(cls, file: Path) -> Signer:
        """The key in a PEM file.

        Raises:
            ConfigError: there is none.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(file.read_bytes(), password=None)
            if not isinstance(key, Ed25519PrivateKey):
                raise ValueError("a key of another kind")  # noqa: TRY004, TRY301
        except (OSError, ValueError, TypeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no private Ed25519 key"
            raise ConfigError(
                f"the ledger cannot be signed: {reason}",
                where=str(file),
                mend="make a key with `patchae ledger keygen FILE`, or unset PATCHAE_LEDGER_KEY",
            ) from None
        return cls(key)

    def sign(self, digest: str) -> Signature:
        """The signature of a row's digest."""
        return Signature(self.public, self.sign_bytes(digest.encode()).hex())

    def sign_bytes(self, message: bytes) -> bytes:
        """The 64 bytes of a signature of any message.

        Whoever asks for one sees to it that it can never be taken for that of a row, which is one
        of 64 hexadecimal digits.
        """
        return self._key.sign(message)


def generate(file: Path) -> tuple[Path, str]:
    """Make a key: `file` for the private one, readable by its owner alone, and FILE.pub beside it.

    Returns:
        The file of the public key, and that key in digits.

    Raises:
        UsageError: one of the files is there already; no key is ever written over.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_file = file.with_name(file.name + PUBLIC)
    for one in (file, public_file):
        if one.exists():
            raise UsageError(
                "there is a file already, and a key is never written over",
                where=str(one),
                mend="name another file, or move this one away",
            )
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    file.parent.mkdir(parents=True, exist_ok=True)
    # The public key first: whoever finds the private one has both. O_EXCL: two never share a name.
    public = key.public_key()
    write_bytes(
        public_file,
        public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo),
    )
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(private)
        opened.flush()
        os.fsync(opened.fileno())
    return public_file, public.public_bytes_raw().hex()


def read_public(file: Path) -> str:
    """The public key in a PEM file, in digits.

    Raises:
        UsageError: there is none.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(file.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("a key of another kind")  # noqa: TRY004, TRY301
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no public Ed25519 key"
        raise UsageError(
            f"no key to verify with: {reason}",
            where=str(file),
            mend="give the file FILE.pub that `patchae ledger keygen FILE` wrote",
        ) from None
    return key.public_bytes_raw().hex()


def faults(
    rows: Sequence[Row], signatures: Signatures, keys: Collection[str] | None = None
) -> list[str]:
    """What is wrong with the signatures of a ledger; empty when all of them hold.

    Args:
        rows: all rows, whose chain `chain.faults` judges.
        signatures: those of them that are signed.
        keys: public keys that are trusted; then every row from the first signed one on must be
            signed by one of them, the last row among them: what nobody signed anybody may have
            written, and a signature behind it would only cover it up. None: every signature is
            only asked whether it fits its row and its own key.
    """
    digests = {row.seq: row.digest for row in rows}
    found = []
    for seq, signature in sorted(signatures.items()):
        if seq not in digests:
            found.append(f"row {seq}: missing, and it was signed")
        elif not signature.holds(digests[seq]):
            found.append(f"row {seq}: its signature is not one of this row")
        elif keys is not None and signature.key not in keys:
            found.append(f"row {seq}: signed with another key, {signature.key[:16]}...")
    if keys is not None and rows:
        first = min(signatures, default=rows[-1].seq)
        unsigned = [row.seq for row in rows[:-1] if row.seq > first and row.seq not in signatures]
        found += [f"row {seq}: not signed, and row {first} before it is" for seq in unsigned]
        if rows[-1].seq not in signatures:
            found.append(f"row {rows[-1].seq}: the newest row is not signed")
    return found


def counted(signatures: Signatures) -> str:
    """How many rows are signed and from which on, behind the number of all rows.

    Who trusts a key reads here how far back that goes: rows before were written without one, or
    had their signatures taken away.
    """
    since = f", from row {min(signatures)} on" if signatures else ""
    return f"{len(signatures)} of them signed{since}"
