"""The ledger as text that anybody can check, and a mark of how far it had come.

An export has one row a line: canonical JSON of all fields, `body` as an object. The digest of a row
is the sha256 over that line without its `digest`; nothing of patchae is needed to recompute it.

    {"actor":"ann","body":{...},"digest":"...","kind":"move","model":"a.b","previous":"...",...}

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


def to_lines(rows: Sequence[Row]) -> str:
    """The export of rows. Law: `from_lines(to_lines(rows)) == rows`, if their chain is intact.

    Raises:
        ValueError: a row was altered so that its body is no JSON.
    """
    return "".join(
        canonical_json({**asdict(row), "body": json.loads(row.body)}) + "\n" for row in rows
    )


def from_lines(text: str, where: str = "the export") -> list[Row]:
    """The rows of an export, which `chain.faults` then judges.

    Raises:
        DataError: a line is not a row as `to_lines` writes it, to the last byte.
    """
    return [_row(line, f"{where}, line {at}") for at, line in enumerate(text.splitlines(), 1)]


def _row(line: str, where: str) -> Row:
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or set(found) != set(_FIELDS):
            raise ValueError(f"expected the keys {', '.join(_FIELDS)}")  # noqa: TRY301
        if canonical_json(found) != line:
            raise ValueError("not canonical JSON")  # noqa: TRY301
        if type(found["seq"]) is not int or not all(
            isinstance(found[name], str) for name in _FIELDS if name not in {"seq", "body"}
        ):
            raise ValueError("a value of another type")  # noqa: TRY301
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"not a row of the ledger: {error}",
            where=where,
            mend="take the export anew: patchae ledger export; this one was altered",
        ) from None
    return Row(**{**found, "body": canonical_json(found["body"])})
