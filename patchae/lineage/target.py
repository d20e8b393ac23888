"""Whether a version may be put into use again: its files are those that were registered."""

from __future__ import annotations

from typing import Any

from patchae.errors import AuditBroken
from patchae.files import digests_of
from patchae.lineage.record import digest, load
from patchae.registry.ledger import Ledger
from patchae.registry.registration import LINEAGE_FILE, WRITTEN_ON_DOWNLOAD
from patchae.registry.standing import registrations
from patchae.registry.tracking import Tracking


def verify_files(tracking: Tracking, ledger: Ledger, model: str, version: str) -> dict[str, Any]:
    """Compare a version's lineage record with the ledger, and its model files with the record.

    Returns the record.

    Raises:
        AuditBroken: something differs or is missing; the version must not be used.
        UsageError: there is no such version.
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    known = tracking.version(model, version)
    rows = registrations(ledger.entries(model), version)
    try:
        record = load((tracking.artifacts(known) / LINEAGE_FILE).read_text())
        logged = {name: file["sha256"] for name, file in record["files"].items()}
        own = digest(record)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise unusable(model, version, "its lineage record cannot be read") from None
    if not rows or any(row.body["lineage_sha256"] != own for row in rows):
        raise unusable(model, version, "its lineage record is not the one in the ledger")
    stored = digests_of(tracking.model_folder(known))
    there = {
        name: value
        for name, value in stored.items()
        if name in logged or name.partition("/")[0] not in WRITTEN_ON_DOWNLOAD
    }
    if there != logged:
        differing = sorted(
            name for name in {*there, *logged} if there.get(name) != logged.get(name)
        )
        raise unusable(model, version, f"{differing[0]} is not what was registered")
    return record


def unusable(model: str, version: str, why: str) -> AuditBroken:
    """The error about a version that is not what was registered."""
    return AuditBroken(
        f"version {version} of {model} must not be used: {why}",
        where="MLflow",
        mend=f"`patchae audit {model}/{version}` says more; choose another version with --to",
    )
