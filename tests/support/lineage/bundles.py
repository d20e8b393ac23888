"""Bundles for the tests: a version with everything that a bundle can hold, and ways to forge it.

`Made` is a project with two versions of `sample.bolt` in a signed ledger, beside rows of another
model; the second version was judged beside the first. `Forged` is a bundle in memory whose files
can be changed and, like a thorough forger would, digested and chained anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from patchae.evidence.scores import Scored, read_scores
from patchae.files import canonical_json, digest_json, sha256_bytes, write_text
from patchae.lineage.audit import Audit, audit
from patchae.lineage.bundle import verify
from patchae.lineage.bundle.content import Sources
from patchae.lineage.bundle.write import write_zip
from patchae.registry.chain import GENESIS, link
from patchae.registry.evidence import evidence_of, rival_of
from patchae.registry.gates import judge
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import promote
from patchae.registry.signing import Signer, generate
from patchae.registry.verdict import rival_scores_file
from patchae.report.bundle import write_pages
from tests.support import write_class
from tests.support.lineage.builder import build
from tests.support.lineage.built import Built
from tests.support.lineage.history import LAX
from tests.support.registry.memory import MODEL, MemoryAliases

VERIFY = Path(verify.__file__)
OTHER = "secret.gear"
"""The other model of the project, of which a bundle must say nothing."""


@dataclass(frozen=True)
class Made:
    """Two versions of one model, and all that a bundle is made from."""

    built: Built
    images: Mapping[str, Path]
    key: Path
    """The file of the public key; the private one lies beside it."""

    def sources(
        self, version: str = "2", *, model: bool = True, images: bool = True, **changes: Any
    ) -> Sources:
        """What a bundle of a version is made from."""
        rows, signatures = self.built.ledger.signed_rows()
        values: dict[str, Any] = {
            "audit": self.audit(version),
            "artifacts": self.built.artifacts,
            "rows": rows,
            "signatures": signatures,
            "model_folder": self.built.model if model else None,
            "images": self.images if images else None,
        }
        return Sources(**{**values, **changes})

    def audit(self, version: str) -> Audit:
        """The audit of a version."""
        aliases = {"champion": "2", "previous": "1"}
        tags = self.built.tags  # of version 1, whose rows they lead to
        if version != self.built.version:
            tags = {name: tag for name, tag in tags.items() if "ledger_" not in name}
        return audit(self.built.material(version=version, alias=None, aliases=aliases, tags=tags))

    def write(self, target: Path, version: str = "2", **options: Any) -> Path:
        """Write a bundle."""
        write_pages(target, self.sources(version, **options))
        return target

    @property
    def anchor(self) -> str:
        """The newest row."""
        head = self.built.ledger.head()
        assert head
        return f"{head.seq}:{head.digest}"

    @property
    def signer(self) -> Signer:
        """The key that signs the ledger."""
        return Signer.read(self.key.with_suffix(""))


def make(folder: Path) -> Made:
    """Build the project."""
    key, _ = generate(folder / "keys" / "ledger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATCHAE_LEDGER_KEY", str(key.with_suffix("")))
        built = build(folder / "version")
        _second_version(built)
    data = folder / "data"
    write_class(data, "bolt")
    images = {path.relative_to(data).as_posix(): path for path in data.rglob("*") if path.is_file()}
    return Made(built, images, key)


def _second_version(built: Built) -> None:
    """Version 2 with the same record and scores, judged beside version 1, which scored a bit worse.

    Rows of another model stand before, between and at the end.
    """
    ledger = built.ledger
    _of_another_model(ledger)
    first = next(row for row in ledger.entries(MODEL) if row.kind == "registered")
    ledger.append("registered", MODEL, {**first.body, "version": "2"}, "tester")
    text = (built.artifacts / "scores.csv").read_text()
    rows = read_scores(text)
    own = champion_scores(text)
    name = rival_scores_file("1", sha256_bytes(own.encode()))
    write_text(built.artifacts / name, own)
    rival = rival_of("1", rows, read_scores(own), then=rows, data_recorded=None)
    body = judge(_evidence(rows, rival), LAX.model_copy(update={"max_drop": 0.5})).to_body(
        "2",
        scores_sha256=sha256_bytes(text.encode()),
        champion_scores_sha256=sha256_bytes(own.encode()),
    )
    row = ledger.append("verdict", MODEL, body, "tester")
    aliases = MemoryAliases()
    aliases.set(MODEL, "champion", "1")
    promote(ledger, aliases, MODEL, "2", verdict=row, actor="tester")
    _of_another_model(ledger)


def _evidence(rows: list[Scored], rival: Any) -> Any:
    return evidence_of(
        rows,
        champion=rival,
        ms_per_image=31.2,
        validation_passed=True,
        lineage_complete=True,
        data_recorded=None,
        promised=0.02,
    )


def _of_another_model(ledger: Ledger) -> None:
    body = {
        "version": "7",
        "run_id": "run-of-gear",
        "training_key": "key-of-gear",
        "lineage_sha256": "x",
    }
    ledger.append("registered", OTHER, body, "somebody else")


def champion_scores(text: str) -> str:
    """Other scores of the same images: every second defective one is a little lower."""
    head, *lines = text.splitlines()
    changed = []
    for number, line in enumerate(lines):
        *before, label, score, decision = line.split(",")
        lower = 0.2 if label == "1" and number % 2 else 0.0
        changed.append(",".join((*before, label, repr(float(score) - lower), decision)))
    return "\n".join((head, *changed)) + "\n"


class Forged:
    """The files of a bundle in memory, to be changed."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    @classmethod
    def read(cls, bundle: Path) -> Forged:
        """The files of a bundle that was written."""
        with zipfile.ZipFile(bundle) as opened:
            return cls({name: opened.read(name) for name in opened.namelist()})

    def write(self, target: Path) -> Path:
        """The forged bundle as a zip."""
        write_zip(target, self.files)
        return target

    def unpack(self, folder: Path) -> Path:
        """The forged bundle as a folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text that is there, once."""
        text = self.files[name].decode()
        assert old in text, (name, old)
        self.files[name] = text.replace(old, new, 1).encode()

    def json(self, name: str) -> Any:
        """A JSON file."""
        return json.loads(self.files[name])

    def put(self, name: str, value: Any) -> None:
        """Write a JSON file as patchae does."""
        self.files[name] = (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()

    @property
    def rows(self) -> list[Any]:
        """The rows of the ledger."""
        return [json.loads(line) for line in self.files["ledger.jsonl"].splitlines()]

    def put_rows(self, rows: list[Any]) -> None:
        """Write the rows of the ledger as they are."""
        text = "".join(canonical_json(row) + "\n" for row in rows)
        self.files["ledger.jsonl"] = text.encode()

    def digest(self) -> None:
        """Digest all files anew in bundle.json."""
        index = self.json("bundle.json")
        index["files"] = {
            name: {"sha256": sha256_bytes(content), "bytes": len(content)}
            for name, content in self.files.items()
            if name != "bundle.json"
        }
        self.put("bundle.json", index)

    def chain(self, rows: list[Any], signer: Signer | None = None) -> None:
        """Chain rows anew, as somebody would who can write the ledger; sign them with a key."""
        previous = GENESIS
        for number, row in enumerate(rows, 1):
            row["seq"] = number
            said = {key: row[key] for key in row if key not in ("previous", "digest", "signature")}
            digest = link(row["content"] if "content" in row else digest_json(said), previous)
            if "content" not in row:
                row["previous"], row["digest"] = previous, digest
            if signer:
                signature = signer.sign(digest)
                row["signature"] = {"key": signature.key, "value": signature.value}
            previous = digest
        self.put_rows(rows)
        index = self.json("bundle.json")
        index["ledger"] = {"seq": len(rows), "digest": previous}
        self.put("bundle.json", index)
        judged_rows = [row for row in rows if row.get("kind") == "verdict"]
        own = [row for row in judged_rows if row["body"]["version"] == index["version"]]
        if own:
            self.put("verdicts.json", {"verdicts": own})
            self.put("policy.json", own[-1]["body"]["policy"])

    def row(self, rows: list[Any], kind: str, version: str = "2") -> Any:
        """The last row of a kind on a version."""
        return [
            row
            for row in rows
            if row.get("kind") == kind
            and version in (row["body"].get("version"), row["body"].get("to"))
        ][-1]

    def record(self, **parts: Mapping[str, Any]) -> str:
        """Change parts of lineage.json; returns the digest that it then has."""
        record = self.json("lineage.json")
        for part, values in parts.items():
            record[part] |= values
        self.put("lineage.json", record)
        return digest_json(record)


def answer(
    bundle: Path, anchor: str | None = None, keys: tuple[Path, ...] = ()
) -> dict[str, tuple[str, str]]:
    """What verify.py says, in this process: state and detail of each link."""
    seq, _, digest = (anchor or "").partition(":")
    trusted = {verify._public_key(key.read_text()) for key in keys}
    given = (int(seq), digest) if anchor else None
    facts = verify.Facts(verify.Bundle(bundle), given, trusted)
    return {one.code: (one.state, one.detail) for one in verify.verify(facts)}


def in_state(found: Mapping[str, tuple[str, str]], state: str) -> set[str]:
    """The links in a state."""
    return {code for code, (seen, _) in found.items() if seen == state}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run verify.py alone in a folder, without any package of this environment."""
    command = [sys.executable, "-I", "-S", "verify.py", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
