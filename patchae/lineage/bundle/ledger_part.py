"""The part of the ledger that a bundle shows, with the proof that it stands in the whole chain.

Rows of one model are there in full, as in an export. Of every other row there is the digest of its
content alone, and its signature if it has one: enough to follow the chain from the first row to the
newest, so that the newest digest can be compared with an anchor, and nothing of what it says.

    {"content":"...","seq":1}
    {"actor":"ann","body":{...},"digest":"...","kind":"registered","model":"a.b",...}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from patchae.files import canonical_json, digest_json
from patchae.registry.chain import Row, content_of
from patchae.registry.signing import Signatures

LEDGER_FILE = "ledger.jsonl"
_DER_HEAD = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410)."""


def excerpt(rows: Sequence[Row], signatures: Signatures, model: str) -> str:
    """The rows as text, one a line.

    An altered row is shown as it is, for it is evidence: the chain then does not hold with it.
    """
    lines = []
    for row in rows:
        line = _in_full(row) if row.model == model else {"seq": row.seq, "content": _content(row)}
        if signature := signatures.get(row.seq):
            line["signature"] = asdict(signature)
        lines.append(canonical_json(line) + "\n")
    return "".join(lines)


def public_keys(signatures: Signatures) -> dict[str, bytes]:
    """The keys that signed, as files in PEM named by the key; what is no key has no file."""
    found = {}
    for key in sorted({signature.key for signature in signatures.values()}):
        try:
            body = bytes.fromhex(key)
        except ValueError:
            continue
        if len(body) == 32 and body.hex() == key:
            text = base64.b64encode(_DER_HEAD + body).decode()
            pem = f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"
            found[f"keys/{key}.pub"] = pem.encode()
    return found


def _in_full(row: Row) -> dict[str, Any]:
    return {**asdict(row), "body": _body(row)}


def _body(row: Row) -> Any:
    """The body as JSON; as text where it is not the one text of it, so that its digest differs."""
    try:
        body = json.loads(row.body)
        return body if canonical_json(body) == row.body else row.body
    except (ValueError, RecursionError):
        return row.body


def _content(row: Row) -> str:
    try:
        return content_of(row)
    except (ValueError, RecursionError):
        line = _in_full(row)
        return digest_json({key: line[key] for key in line if key not in ("previous", "digest")})
