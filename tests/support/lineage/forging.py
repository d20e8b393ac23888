"""The hands of a forger: files and the ledger's rows, changed as somebody with access could.

An outsider changes what lies there. An insider holds the ledger's key besides, and everything that
was noted of the ledger is his: he writes it anew so that every digest, signature, tag and anchor
fits. Only what is recomputed from the content can show him.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from patchae.files import canonical_json
from patchae.lineage.record import digest
from patchae.registry.chain import GENESIS, Row, digest_of
from patchae.registry.export import Anchor
from patchae.registry.signing import Signature, Signer, generate
from patchae.types import Sha256
from tests.support.lineage.built import Built
from tests.support.registry.memory import MODEL

Rows = list[Row]


def flip(path: Path, at: int = -1) -> None:
    """Another bit in one byte of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def rewrite(path: Path, change: Callable[[Any], object]) -> None:
    """Change the JSON of a file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(canonical_json(content))


def find(rows: Sequence[Row], kind: str, version: str | None = None) -> int:
    """Where the last row of a kind on the model stands; with `version` on that version."""
    return max(
        at
        for at, row in enumerate(rows)
        if (row.kind, row.model) == (kind, MODEL)
        and version in (None, *map(json.loads(row.body).get, ("version", "to")))
    )


def reworded(row: Row, **body: Any) -> Row:
    """A row with other values in its body; its digest stays."""
    return replace(row, body=canonical_json({**json.loads(row.body), **body}))


def chained(rows: Sequence[Row]) -> Rows:
    """The rows with numbers and digests that fit."""
    found: Rows = []
    for seq, row in enumerate(rows, 1):
        draft = replace(row, seq=seq, previous=found[-1].digest if found else GENESIS)
        found.append(replace(draft, digest=digest_of(draft)))
    return found


def store(built: Built, rows: Sequence[Row], signer: Signer | None = None) -> None:
    """Put rows in place of the ledger's, past every trigger; signed anew where there is a key."""
    _, kept = built.ledger.signed_rows()
    signatures: dict[int, Signature] = (
        {row.seq: signer.sign(row.digest) for row in rows} if signer else kept
    )
    with sqlite3.connect(built.folder / "ledger.db") as database:
        for name in ("ledger", "signature"):
            database.execute(f"DROP TABLE {name}")
        database.execute(f"CREATE TABLE ledger ({', '.join(Row.__dataclass_fields__)})")
        database.execute("CREATE TABLE signature (seq, key, value)")
        database.executemany(
            "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(astuple, rows)
        )
        database.executemany(
            "INSERT INTO signature VALUES (?, ?, ?)",
            [(seq, one.key, one.value) for seq, one in signatures.items()],
        )
    database.close()


def forge(built: Built, change: Callable[[Rows], Rows | None]) -> None:
    """Change the ledger's rows and nothing else."""
    rows, _ = built.ledger.signed_rows()
    store(built, change(rows) or rows)


def forge_chained(built: Built, change: Callable[[Rows], Rows | None]) -> None:
    """Change rows and recompute every digest behind them; the signatures stay as they were."""
    rows, _ = built.ledger.signed_rows()
    store(built, chained(change(rows) or rows))


def with_another_key(built: Built) -> None:
    """Sign all rows anew with a key that nobody trusts."""
    generate(built.folder / "keys" / "other")
    rows, _ = built.ledger.signed_rows()
    store(built, rows, Signer.read(built.folder / "keys" / "other"))


def cut(built: Built, keep: int) -> None:
    """The end of the ledger is gone, signatures and all."""
    rows, _ = built.ledger.signed_rows()
    store(built, rows[:keep], Signer.read(built.key))


def as_insider(
    built: Built,
    *,
    record: Callable[[dict[str, Any]], object] = lambda record: None,
    rows: Callable[[Rows], Rows | None] = lambda rows: None,
) -> None:
    """Change record and rows, and make everything fit that vouches for them."""
    path = built.artifacts / "lineage.json"
    content = json.loads(path.read_text())
    record(content)
    path.write_text(canonical_json(content))
    built.tags["patchae.lineage_sha256"] = digest(content)
    found, _ = built.ledger.signed_rows()
    at = find(found, "registered", built.version)
    found[at] = reworded(found[at], lineage_sha256=digest(content))
    found = chained(rows(found) or found)
    store(built, found, Signer.read(built.key))
    built.anchor = Anchor(found[-1].seq, Sha256(found[-1].digest))
    for kind in ("registered", "verdict"):
        row = found[find(found, kind, built.version)]
        built.tags[f"patchae.ledger_{kind}"] = f"{row.seq}:{row.digest}"


def drop_line(path: Path, part: str) -> None:
    """Take out the line that holds a text."""
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if part not in line]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept))
