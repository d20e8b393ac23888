"""Weights of versions that never were in use: the heavy part of a version that nobody will load.

`registry.letting_go` says which may go and writes the row; here the lineage record names the files,
and their content is compared with it a last time: a file that was tampered with is evidence, and
stays until somebody has audited it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from patchae.errors import AuditBroken
from patchae.files import sha256_file
from patchae.lineage.record import digest
from patchae.registry.chain import Entry
from patchae.registry.ledger import Ledger
from patchae.registry.letting_go import WHY, Files, Stays, let_weights_go, why_kept
from patchae.registry.loading import LET_GO
from patchae.registry.registration import LINEAGE_FILE
from patchae.registry.removal import remove_model_files, require_own_files
from patchae.registry.standing import let_go, registrations
from patchae.registry.tracking import Tracking, Version
from patchae.retention.item import Asked, Found

WEIGHTS = ".safetensors"
"""How the names of files with weights end; all others of a version are small, and stay."""
_GONE = "let go already: its record, scores and verdicts are there"
_BROKEN = "its lineage record is not the one that the ledger vouches for: `patchae audit`"


def weights(tracking: Tracking, ledger: Ledger, asked: Asked) -> Found:
    """The versions that may let go of their weights, and why the others keep them.

    Raises:
        StoreUnreachable: MLflow or the ledger cannot be used.
    """
    found = Found("weights")
    for model in ledger.models():
        if not asked.concerns(model):
            continue
        entries, aliases = ledger.entries(model), tracking.aliases.get(model)
        gone = let_go(entries)
        for version in tracking.versions(model):
            name = f"{model}/{version.version}"
            if row := gone.get(version.version):
                if version.tags.get(LET_GO):
                    found.stay(_GONE)
                else:
                    size = _bytes(row.body["files"])
                    finish = partial(_finish, tracking, version, row)
                    found.go(name, size, f"row {row.seq} of the ledger let it go", finish)
                continue
            why = why_kept(
                entries, version.version, policy=asked.policy, now=asked.now, aliases=aliases
            )
            files = None if why else _weights_of(tracking, entries, version)
            if files:
                remove = partial(_remove, tracking, ledger, asked, version, files)
                found.go(name, _bytes(files), "never was champion", remove)
            else:
                found.stay(WHY[why] if why else _BROKEN)
    return found


def _remove(
    tracking: Tracking, ledger: Ledger, asked: Asked, version: Version, files: Files
) -> int:
    require_own_files(tracking, version, files)  # before a row says that they go
    folder = tracking.model_folder(version)
    for name, file in files.items():
        if not (folder / name).is_file() or sha256_file(folder / name) != file["sha256"]:
            raise Stays(f"{name} is not what was registered: `patchae audit` first")
    row = let_weights_go(
        ledger,
        tracking.aliases,
        version.model,
        version.version,
        files,
        policy=asked.policy,
        now=asked.now,
        actor=asked.actor,
    )
    return _finish(tracking, version, row)


def _finish(tracking: Tracking, version: Version, row: Entry) -> int:
    remove_model_files(tracking, version, row.body["files"])
    tracking.link(version, "tidied", row)  # last: a version without it is looked at again
    return _bytes(row.body["files"])


def _weights_of(tracking: Tracking, entries: Sequence[Entry], version: Version) -> Files | None:
    """The files with weights by the version's record; None where that cannot be trusted."""
    file = tracking.some_artifacts(version.run_id, [LINEAGE_FILE]) / LINEAGE_FILE
    rows = registrations(entries, version.version)
    try:
        record = json.loads(file.read_text())
        if digest(record) != rows[0].body["lineage_sha256"]:
            return None
        named = record["files"]
        return {name: named[name] for name in sorted(named) if name.endswith(WEIGHTS)} or None
    except (OSError, ValueError, LookupError, TypeError, AuditBroken):
        return None


def _bytes(files: Files) -> int:
    return sum(int(file["bytes"]) for file in files.values())
