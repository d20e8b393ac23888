"""Rows of the ledger as pages read them: words where words belong.

Whoever alters a row can put anything into it, and the page that says so must be made all the same.
So what is no text where a text belongs is shown as the JSON that stands there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from patchae.files import canonical_json
from patchae.registry.chain import Entry

_TEXTS = ("version", "outcome", "to", "from", "why", "reason", "run_id")


def readable(entries: Iterable[Entry]) -> list[Entry]:
    """The same rows, fit to be shown. Law: rows as patchae writes them stay as they are."""
    return [_readable(entry) for entry in entries]


def _readable(entry: Entry) -> Entry:
    body = entry.body
    texts = [key for key in _TEXTS if entry.kind != "threshold" or key not in {"to", "from"}]
    other: dict[str, Any] = {
        key: canonical_json(body[key])
        for key in texts
        if not isinstance(body.get(key, ""), str) and not (key == "from" and body[key] is None)
    }
    if not isinstance(body.get("files", {}), dict):
        other["files"] = {canonical_json(body["files"]): {}}
    return replace(entry, body={**body, **other}) if other else entry
