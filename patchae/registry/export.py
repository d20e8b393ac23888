"""The ledger as text that anybody can check, and a mark of how far it had come.

An export has one row a line: canonical JSON of all fields, `body` as an object. Nothing of patchae
is needed to recompute the digest of a row: the sha256 over that line without `previous`, `digest`
and `signature` is its content, and the sha256 over content and `previous` is the digest.

    {"actor":"ann","body":{...},"digest":"...","kind":"move","model":"a.b","previous":"...",...}

A signed row has a `signature` besides, of `digest`, which is no part of what is digested.

An anchor names the newest row. A chain cannot show that its end was cut off or written anew; an
anchor that was noted elsewhere can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from patchae.errors import DataError, UsageError
from patchae.files import canonical_json
from patchae.registry.chain import Row
from patchae.registry.signing import Signature, Signatures
from patchae.types import Sha256

_ANCHOR = re.compile(r"([1-9][0-9]*):([0-9a-f]{64})")
_FIELDS = {field.name: field.type for field in fields(Row)}


@dataclass(frozen=True)
class Anchor:
    """A row of the ledger by its number and digest. Law: `Anchor.of(str(anchor)) == anchor`."""

    seq: int
    digest: Sha256

    def __str__(self) -> str:
        return f"{self.seq}:{self.digest}"

    @classmethod
    def of(cls, text: str) -> Anchor:
        """The anchor that `str` gave.

        Raises:
            UsageError: the text is none.
        """
        found = _ANCHOR.fullmatch(text.strip())
        if not found:
            raise UsageError(
                f"no anchor: {text!r}",
                mend="give what `patchae ledger anchor` printed: a number, a colon, 64 digits",
            )
        return cls(int(found[1]), Sha256(found[2]))

    def faults(self, rows: Sequence[Row]) -> list[str]:
        """What these rows say against it, at most one sentence; empty when they still hold it."""
        held = next((row for row in rows if row.seq == self.seq), None)
        if held is None:
            last = rows[-1].seq if rows else 0
            return [f"row {self.seq}: missing; the anchor names it, and the ledger ends at {last}"]
        if held.digest != self.digest:
            return [f"row {self.seq}: not the one that the anchor names; it was written anew"]
        return []


def to_lines(rows: Sequence[Row], signatures: Signatures | None = None) -> str:
    """The export. Law: `from_lines(to_lines(r, s)) == (r, s)`, if the chain is intact.

    Raises:
        ValueError: a row was altered so that its body is no JSON.
    """
    lines = []
    for row in rows:
        line = {**asdict(row), "body": json.loads(row.body)}
        if signature := (signatures or {}).get(row.seq):
            line["signature"] = asdict(signature)
        lines.append(canonical_json(line) + "\n")
    return "".join(lines)


def from_lines(text: str, where: str = "the export") -> tuple[list[Row], dict[int, Signature]]:
    """The rows of an export and their signatures, which `chain` and `signing` then judge.

    Raises:
        DataError: a line is not a row as `to_lines` writes it, to the last byte.
    """
    read = [_row(line, f"{where}, line {at}") for at, line in enumerate(text.splitlines(), 1)]
    signatures = {row.seq: signature for row, signature in read if signature}
    return [row for row, _ in read], signatures


def _row(line: str, where: str) -> tuple[Row, Signature | None]:
    try:
        found = json.loads(line)
        if canonical_json(found) != line:
            raise ValueError("not canonical JSON")  # noqa: TRY301
        signed = found.pop("signature", None) if isinstance(found, dict) else None
        signature = Signature(**signed) if signed is not None else None
        if not isinstance(found, dict) or set(found) != set(_FIELDS):
            raise ValueError(f"expected the keys {', '.join(_FIELDS)}")  # noqa: TRY301
        if type(found["seq"]) is not int or not all(
            isinstance(value, str)
            for value in (
                *(found[name] for name in _FIELDS if name not in {"seq", "body"}),
                *((signature.key, signature.value) if signature else ()),
            )
        ):
            raise ValueError("a value of another type")  # noqa: TRY301
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"not a row of the ledger: {error}",
            where=where,
            mend="take the export anew: patchae ledger export; this one was altered",
        ) from None
    return Row(**{**found, "body": canonical_json(found["body"])}), signature
