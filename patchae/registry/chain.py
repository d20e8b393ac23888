"""The rows of the ledger as values: how one follows the other, and what is wrong with a sequence.

Every row carries the digest of the row before it, so that no row can be changed, removed, inserted
or exchanged later without `faults` naming it. Nothing here touches a database.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any, Literal, cast

from patchae.files import canonical_json, digest_json
from patchae.types import Sha256

Kind = Literal[
    "registered", "verdict", "move", "threshold", "confirmed", "repair", "retired", "tidied"
]

KEYS: dict[str, frozenset[str]] = {
    "registered": frozenset({"version", "run_id", "training_key", "lineage_sha256"}),
    "verdict": frozenset(
        {"version", "outcome", "reasons", "evidence", "policy", "champion"}
        | {"scores_sha256", "champion_scores_sha256"}
    ),
    "move": frozenset({"to", "from", "why", "reason", "verdict"}),
    "threshold": frozenset({"version", "from", "to", "why", "rate", "reason"}),
    "confirmed": frozenset({"move", "aliases"}),
    "repair": frozenset({"move", "why", "found", "set", "reason"}),
    "retired": frozenset({"version", "reason"}),
    "tidied": frozenset({"version", "files", "policy"}),
}
"""What the body of each kind holds at least. `docs/ledger.md` says what the keys mean."""

GENESIS = Sha256("0" * 64)
"""What the first row has in place of the digest of a row before it."""


@dataclass(frozen=True)
class Row:
    """One row as it is stored: `body` is canonical JSON text."""

    seq: int
    time: str
    kind: str
    model: str
    actor: str
    host: str
    flow_run: str
    body: str
    previous: str
    digest: str


@dataclass(frozen=True)
class Entry:
    """One row as it is read: what was decided or done, when, by whom.

    `seq` counts from 1; `time` is UTC, ISO 8601 with microseconds and `Z`; `actor`, `host` and
    `flow_run` (empty outside a flow) say who wrote it; `previous` is the digest of the row before
    (`GENESIS` for the first); `digest` is what `link` makes of it and of all the other fields.
    `body` holds at least the `KEYS` of its kind.
    """

    seq: int
    time: str
    kind: Kind
    model: str
    actor: str
    host: str
    flow_run: str
    body: dict[str, Any]
    previous: str
    digest: str

    @classmethod
    def of(cls, row: Row) -> Entry:
        """The entry that a stored row holds.

        Raises:
            ValueError: its kind is unknown, its body is not a JSON object with the keys of that
                kind, a threshold in it is no finite number, or its time is none with a zone.
        """
        body = json.loads(row.body)
        if row.kind not in KEYS:
            raise ValueError(f"unknown kind {row.kind!r}")
        lacking = KEYS[row.kind] - (set(body) if isinstance(body, dict) else set())
        if lacking:
            raise ValueError(f"the body lacks {', '.join(sorted(lacking))}")
        if row.kind == "threshold" and not all(map(_is_number, (body["from"], body["to"]))):
            raise ValueError("a threshold is no number")
        if not _is_moment(row.time):
            raise ValueError(f"no time: {row.time!r}")
        return cls(**{**_values(row), "kind": cast(Kind, row.kind), "body": body})

    def row(self) -> Row:
        """The row to store. Law: `Entry.of(entry.row()) == entry`."""
        return Row(**{**_values(self), "body": canonical_json(self.body)})


def follow(
    head: Row | None,
    *,
    time: str,
    kind: Kind,
    model: str,
    actor: str,
    body: Mapping[str, Any],
    host: str = "",
    flow_run: str = "",
) -> Entry:
    """The entry that comes after `head`; its time is never earlier than the head's, if that is one.

    Raises:
        ValueError: the body lacks a key of its kind, or holds NaN or an infinity; or the time is
            none.
    """
    draft = Row(
        seq=head.seq + 1 if head else 1,
        time=max(time, head.time) if head and _is_moment(head.time) else time,
        kind=kind,
        model=_storable(model),
        actor=_storable(actor),
        host=_storable(host),
        flow_run=_storable(flow_run),
        body=canonical_json(dict(body)),
        previous=head.digest if head else GENESIS,
        digest="",
    )
    return Entry.of(Row(**{**_values(draft), "digest": digest_of(draft)}))


def content_of(row: Row) -> Sha256:
    """sha256 over the canonical JSON of what a row says: all fields but `previous` and `digest`.

    Raises:
        ValueError: the body is not JSON, or not the canonical text of it.
    """
    body = json.loads(row.body)
    if canonical_json(body) != row.body:
        raise ValueError("the body is not canonical JSON")
    content = {**_values(row), "body": body}
    del content["previous"], content["digest"]
    return digest_json(content)


def link(content: str, previous: str) -> Sha256:
    """The digest of a row: what it says, chained to the digest of the row before.

    In two steps, so that a row can be shown to stand in the chain without showing the others: of
    them the digest of their content is enough. An audit bundle tells nothing of other models.
    """
    return digest_json({"content": content, "previous": previous})


def digest_of(row: Row) -> Sha256:
    """The digest that a row must have.

    Raises:
        ValueError: as `content_of`.
    """
    return link(content_of(row), row.previous)


def faults(rows: Sequence[Row]) -> list[str]:
    """What is wrong with a ledger, one sentence per fault; empty when its chain is intact.

    Law: after any change of any byte of any field, and after any row was removed from before the
    last, inserted before the end or exchanged with another, the result is not empty.

    Two things a chain cannot show by itself: that its LAST rows were removed, and that somebody
    rewrote every row from one on to the end, digests included. Only a digest of the head that
    was noted elsewhere shows those.
    """
    found: list[str] = []
    before: Row | None = None
    for row in rows:
        found += _faults_within(row)
        found += _faults_between(before, row)
        before = row
    return found


def _faults_within(row: Row) -> list[str]:
    try:
        digest = digest_of(row)
    except (ValueError, TypeError, RecursionError) as error:
        return [f"row {row.seq}: content changed; it cannot be read ({error})"]
    if digest != row.digest:
        return [f"row {row.seq}: content changed; its digest is no longer that of its fields"]
    return []


def _faults_between(before: Row | None, row: Row) -> list[str]:
    last, tail = (before.seq, before.digest) if before else (0, GENESIS)
    if row.seq > last + 2:
        return [f"rows {last + 1} to {row.seq - 1}: missing"]
    if row.seq == last + 2:
        return [f"row {last + 1}: missing"]
    if row.seq <= last:
        return [f"row {row.seq}: order broken; it stands after row {last}"]
    if row.previous != tail:
        whom = f"the digest of row {last}" if before else "64 zeros"
        return [f"row {row.seq}: order broken; its `previous` is not {whom}"]
    if before and str(row.time) < str(before.time):
        return [f"row {row.seq}: order broken; its time is earlier than that of row {last}"]
    return []


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _is_moment(text: object) -> bool:
    """Whether it is ISO 8601 with a zone, in a year that every zone can show."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return False
    return found is not None and found.tzinfo is not None and MINYEAR < found.year < MAXYEAR


def _values(item: Row | Entry) -> dict[str, Any]:
    # dataclasses.asdict would copy the body as well
    return {field.name: getattr(item, field.name) for field in fields(item)}


def _storable(text: str) -> str:
    # A name from the environment may hold bytes that are no UTF-8, or a NUL; databases refuse them.
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
