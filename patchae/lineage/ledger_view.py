"""The whole ledger as an audit reads it: once, with everything that is wrong with it.

A row that cannot be read is a fault like any other; the rows beside it still answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from patchae.errors import AuditBroken
from patchae.lineage.material import some
from patchae.registry import chain, signing
from patchae.registry.chain import Entry
from patchae.registry.export import Anchor
from patchae.registry.ledger import Ledger


@dataclass(frozen=True)
class LedgerView:
    """The ledger, read and verified."""

    entries: tuple[Entry, ...]
    faults: tuple[str, ...]
    """One sentence each; empty when chain, signatures and anchor hold."""
    proven: tuple[str, ...]
    """What was asked beyond the chain itself, and holds when there are no faults."""

    def of(self, model: str) -> list[Entry]:
        """The entries on one model."""
        return [entry for entry in self.entries if entry.model == model]


def view(
    ledger: Ledger, keys: Collection[str] | None = None, anchor: Anchor | None = None
) -> LedgerView:
    """Read a ledger and verify it.

    Args:
        ledger: the ledger.
        keys: public keys that are trusted; from the first signed row on all must be signed.
        anchor: a row that was noted elsewhere, and must still be there.

    Raises:
        StoreUnreachable: the ledger cannot be used.
    """
    rows, signatures = ledger.signed_rows()
    faults = chain.faults(rows) + signing.faults(rows, signatures, keys)
    faults += anchor.faults(rows) if anchor else []
    entries = []
    for row in rows:
        try:
            entries.append(Entry.of(row))
        except (ValueError, TypeError, RecursionError) as error:
            if not any(fault.startswith(f"row {row.seq}:") for fault in faults):
                faults.append(f"row {row.seq}: cannot be read ({error})")
    proven = []
    if signatures:
        trusted = " with a trusted key" if keys is not None else ""
        proven.append(f"{len(signatures)} signed{trusted}, from row {min(signatures)} on")
    if anchor:
        proven.append(f"row {anchor.seq} is the one noted elsewhere")
    return LedgerView(tuple(entries), tuple(faults), tuple(proven))


def sound_entries(ledger: Ledger) -> tuple[Entry, ...]:
    """All entries of a ledger, for who goes on with what they say.

    Raises:
        AuditBroken: chain or signatures do not hold.
        StoreUnreachable: the ledger cannot be used.
    """
    found = view(ledger)
    if found.faults:
        raise AuditBroken(
            f"the ledger cannot be trusted: {some(found.faults)}",
            where=ledger.where,
            mend="`patchae ledger verify` names every fault; restore the ledger from a backup, and"
            " find out who wrote into it",
        )
    return found.entries
