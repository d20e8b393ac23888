"""One version on disk, as an auditor finds it who holds the public key and the anchor."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from patchae.dataset.objects import State
from patchae.files import sha256_file
from patchae.lineage.audit import Material
from patchae.lineage.ledger_view import view
from patchae.registry.export import Anchor
from patchae.registry.ledger import Ledger
from patchae.registry.runs import LoggedRun
from patchae.registry.signing import Signer
from patchae.types import DataVersion
from tests.support.lineage.history import LAX
from tests.support.registry.memory import MODEL

MADE = "2026-05-01T09:30:00+00:00"
"""When the data version was made."""


@dataclass
class Built:
    """One version on disk: its files, the store of its images, and the ledger; MLflow in memory."""

    folder: Path
    version: str
    data_version: DataVersion
    aliases: dict[str, str]
    tags: dict[str, str]
    run: LoggedRun
    listing: dict[str, str]
    made: str | None = MADE
    """When the data version was made, as the version log has it."""
    policy: dict[str, Any] = field(default_factory=lambda: LAX.model_dump(mode="json"))
    """The gates in `lines.yaml`."""
    anchor: Anchor | None = None
    """What the auditor noted of the ledger."""

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def remote(self) -> Path:
        """The store of the images: objects by their names."""
        return self.folder / "remote"

    @property
    def key(self) -> Path:
        """The private key that the ledger is signed with, where it is."""
        return self.folder / "keys" / "ledger"

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.db")

    def copy(self, folder: Path) -> Built:
        """The same version in another folder, to be tampered with."""
        shutil.copytree(self.folder, folder)
        return replace(deepcopy(self), folder=folder)

    def stored(self, md5s: Iterable[str]) -> set[str]:
        """As `patchae.dataset.version.stored`."""
        return {md5 for md5 in md5s if (self.remote / md5).is_file()}

    def states(self, names: Iterable[str], sha256: Mapping[str, str]) -> dict[str, State]:
        """As `patchae.dataset.version.stored_states`."""
        found: dict[str, State] = {}
        for name in names:
            file = self.remote / name
            whole = file.is_file() and md5_of(file.read_bytes()) == name.removesuffix(".dir")
            whole = whole and sha256.get(name) in (None, sha256_file(file))
            found[name] = "whole" if whole else "damaged" if file.is_file() else "missing"
        return found

    def material(self, **changes: Any) -> Material:
        """What there is to audit, for somebody who holds the public key and the anchor."""
        trusted = [Signer.read(self.key).public] if self.key.is_file() else None
        book = view(self.ledger, trusted, self.anchor)
        material = Material(
            model=MODEL,
            version=self.version,
            alias="champion",
            aliases=self.aliases,
            tags=self.tags,
            run=self.run,
            entries=book.entries,
            faults=book.faults,
            proven=book.proven,
            policy=self.policy,
            artifacts=self.artifacts,
            model_folder=self.model,
            listing=lambda version: self.listing if version == self.data_version else {},
            stored=self.stored,
            states=self.states,
            made=lambda version: self.made if version == self.data_version else None,
        )
        return replace(material, **changes)


def md5_of(content: bytes) -> str:
    """The name of an object of the remote, but for the `.dir` of a listing."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
