"""Which files a bundle holds, each as bytes or as a file that lies somewhere.

    bundle.json                  what this is, and sha256 and size of every other file
    index.html                   a page for people
    verify.py                    checks it all with nothing but Python
    audit.json                   what `patchae audit` found when the bundle was made
    lineage.json, lineage-2.schema.json
    manifest.csv, split.csv, validation.json, scores.csv, components.json
    champion-N/scores-....csv    the champion's scores that a verdict compared with
    probe/IMAGE                  the test image that was stored to try the model with
    verdicts.json, policy.json   the verdicts on this version, and the gates of the last one
    ledger.jsonl, keys/KEY.pub   see `ledger_part`
    model/..., images/...        on demand

Everything is taken as it is, broken or not: a bundle of a broken chain is evidence of that. What is
gone is left out, and the bundle's `verify.py` says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patchae.evidence.scores import SCORES_FILE
from patchae.files import canonical_json
from patchae.lineage import schema
from patchae.lineage.bundle import verify
from patchae.lineage.bundle.ledger_part import LEDGER_FILE, excerpt, public_keys
from patchae.lineage.environment import COMPONENTS_FILE
from patchae.lineage.material import Audit
from patchae.lineage.probe import FOLDER as PROBE
from patchae.lineage.split_file import SPLIT_FILE
from patchae.registry.chain import Entry, Row
from patchae.registry.registration import LINEAGE_FILE, WRITTEN_ON_DOWNLOAD
from patchae.registry.signing import Signatures
from patchae.registry.standing import verdicts
from patchae.registry.verdict import rival_scores_file

Files = Mapping[str, bytes | Path]
"""By the name in the bundle: the content, or the file that holds it."""
ARTIFACTS = (
    *(LINEAGE_FILE, "manifest.csv", SPLIT_FILE, "validation.json", SCORES_FILE),
    COMPONENTS_FILE,
)


@dataclass(frozen=True)
class Sources:
    """Everything that the files of a bundle are made from."""

    audit: Audit
    artifacts: Path
    """Folder with the artifacts of the training run."""
    rows: Sequence[Row]
    """The whole ledger, altered or not."""
    signatures: Signatures = field(default_factory=dict)
    model_folder: Path | None = None
    """Folder with the model's files; None: they are left out."""
    images: Mapping[str, Path] | None = None
    """Where each image and mask lies, by its path in data/; None: they are left out."""

    @property
    def entries(self) -> list[Entry]:
        """The rows of this model that can be read."""
        return [entry for row in self.rows if (entry := _entry(row, self.audit.model))]


def files_of(sources: Sources, pages: Files) -> dict[str, bytes | Path]:
    """All files of a bundle but `bundle.json`, by name.

    Args:
        sources: what they are made from.
        pages: those for people, among them `index.html`.
    """
    found: dict[str, bytes | Path] = {
        **pages,
        "audit.json": _json(_audit(sources.audit)),
        LEDGER_FILE: excerpt(sources.rows, sources.signatures, sources.audit.model).encode(),
        schema.FILE.name: schema.FILE,
        "verify.py": Path(verify.__file__),
        **public_keys(sources.signatures),
        **_verdicts(sources),
    }
    for name in ARTIFACTS:
        if (sources.artifacts / name).is_file():
            found[name] = sources.artifacts / name
    probe = sources.artifacts / PROBE
    found |= {f"{PROBE}/{one.name}": one for one in probe.glob("*") if one.is_file()}
    if sources.model_folder is not None:
        found |= {f"model/{name}": path for name, path in _below(sources.model_folder).items()}
    if sources.images is not None:
        found |= {f"images/{name}": path for name, path in sources.images.items()}
    return found


def index_of(sources: Sources, digests: Mapping[str, tuple[str, int]]) -> bytes:
    """`bundle.json`, from sha256 and size of every other file."""
    newest = sources.rows[-1] if sources.rows else None
    return _json(
        {
            "schema": verify.BUNDLE,
            "model": sources.audit.model,
            "version": sources.audit.version,
            "holds": {
                "images": sources.images is not None,
                "model": sources.model_folder is not None,
            },
            "ledger": {"seq": newest.seq, "digest": newest.digest} if newest else None,
            "files": {
                name: {"sha256": sha256, "bytes": size} for name, (sha256, size) in digests.items()
            },
        }
    )


def _audit(audit: Audit) -> dict[str, Any]:
    """The audit, without what it counted where a link is intact: `verify.py` counts again."""
    content = audit.to_dict()
    for link in content["links"]:
        if link["state"] == "intact":
            del link["detail"]
    return content


def _verdicts(sources: Sources) -> dict[str, bytes | Path]:
    """The verdicts on the version, the policy of the last, and the champion's scores of each."""
    rows = verdicts(sources.entries, sources.audit.version)
    if not rows:
        return {}
    found: dict[str, bytes | Path] = {
        "verdicts.json": _json({"verdicts": _lines(sources, {row.seq for row in rows})}),
        "policy.json": _json(rows[-1].body["policy"]),
    }
    for row in rows:
        digest = row.body["champion_scores_sha256"]
        if isinstance(digest, str):
            name = rival_scores_file(str(row.body["champion"]), digest)
            if (sources.artifacts / name).is_file():
                found[name] = sources.artifacts / name
    return found


def _lines(sources: Sources, numbers: set[int]) -> list[Any]:
    """Rows of this model as `ledger.jsonl` has them."""
    rows = [row for row in sources.rows if row.seq in numbers]
    text = excerpt(rows, sources.signatures, sources.audit.model)
    return [json.loads(line) for line in text.splitlines()]


def _entry(row: Row, model: str) -> Entry | None:
    try:
        return Entry.of(row) if row.model == model else None
    except (ValueError, RecursionError):  # altered; `ledger.jsonl` shows it as it is
        return None


def _below(folder: Path) -> dict[str, Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: named[name] for name in named if name not in WRITTEN_ON_DOWNLOAD}


def _json(value: Any) -> bytes:
    # Through canonical JSON, so that NaN is an error and not a text that is no JSON.
    plain = json.loads(canonical_json(value))
    return (json.dumps(plain, indent=2, sort_keys=True) + "\n").encode()
