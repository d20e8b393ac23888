"""The attestation of a version, read by a verifier that is not ours."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from patchae.lineage.attestation import BUILD_TYPE, envelope, statement
from patchae.registry.signing import Signer, generate
from tests.support import patchae
from tests.support.lineage.builder import Built
from tests.support.plant import Works, the_works


@pytest.fixture
def record(honest: Built) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((honest.artifacts / "lineage.json").read_text())
    return content


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "keys" / "ledger"
    generate(file)
    return file


def verified(signed: dict[str, Any], public: str) -> dict[str, Any]:
    """The statement that securesystemslib vouches for.

    Raises:
        VerificationError: it does not.
    """
    trusted = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    read = Envelope.from_dict(json.loads(json.dumps(signed)))
    read.verify([SSlibKey.from_crypto(trusted, keyid=public)], 1)
    content: dict[str, Any] = json.loads(read.payload)
    return content


def test_another_verifier_accepts_it_and_reads_what_was_said(
    record: dict[str, Any], key: Path
) -> None:
    signer = Signer.read(key)
    told = statement(record, "1")
    assert verified(envelope(told, signer), signer.public) == told


def test_any_change_of_the_payload_and_any_other_key_is_refused(
    record: dict[str, Any], key: Path, tmp_path: Path
) -> None:
    signer = Signer.read(key)
    signed = envelope(statement(record, "1"), signer)
    forged = base64.b64decode(signed["payload"]).replace(b'"bolt"', b'"nuts"')
    with pytest.raises(VerificationError):
        verified({**signed, "payload": base64.b64encode(forged).decode()}, signer.public)
    with pytest.raises(VerificationError):
        verified({**signed, "payloadType": "text/plain"}, signer.public)
    _, other = generate(tmp_path / "other")
    with pytest.raises(VerificationError):
        verified(signed, other)


def test_the_statement_names_what_was_made_and_from_what(record: dict[str, Any]) -> None:
    told = statement(record, "7")
    assert (told["_type"], told["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert {one["name"]: one["digest"]["sha256"] for one in told["subject"]} == {
        f"sample.bolt/7/{path}": file["sha256"] for path, file in record["files"].items()
    }
    build, run = told["predicate"]["buildDefinition"], told["predicate"]["runDetails"]
    assert build["buildType"] == BUILD_TYPE
    assert build["externalParameters"] == {
        "line": "sample",
        "class": "bolt",
        "settings": record["training"]["settings"],
    }
    needed = {one["name"]: one for one in build["resolvedDependencies"]}
    assert needed["images"]["digest"] == {"sha256": record["data"]["class_digest"]}
    assert record["data"]["version"] in needed["images"]["uri"]
    assert needed["torch"]["uri"] == "pkg:pypi/torch@2.14.1"
    assert "project" not in needed, "outside Git there is no commit to name"
    assert run["metadata"] == {
        "invocationId": record["run"]["mlflow_run_id"],
        "startedOn": "2026-05-01T10:00:00Z",
        "finishedOn": "2026-05-01T10:00:12Z",
    }
    assert all("uri" in one or "digest" in one for one in build["resolvedDependencies"])


def test_a_commit_is_a_dependency_that_says_whether_the_tree_was_clean(
    record: dict[str, Any],
) -> None:
    record["source"].update(git_commit="a" * 40, git_clean=False)
    build = statement(record, "1")["predicate"]["buildDefinition"]
    (project,) = (one for one in build["resolvedDependencies"] if one["name"] == "project")
    assert project["digest"] == {"gitCommit": "a" * 40}
    assert project["annotations"] == {"clean": False}


class TestTheCommand:
    @pytest.fixture(autouse=True)
    def works(
        self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> Works:
        works = the_works(tmp_path_factory)
        monkeypatch.chdir(works.plant.project.root)
        return works

    def test_it_signs_with_the_ledgers_key(
        self,
        key: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PATCHAE_LEDGER_KEY", str(key))
        file = tmp_path / "out.json"
        words = ("attest", "works.lens/2", "--out", str(file), "--json")
        code, out, err = patchae(capsys, monkeypatch, *words)
        assert code == 0, err
        printed = json.loads(out.splitlines()[-1])
        told = verified(json.loads(file.read_text()), printed["key"])
        assert len(told["subject"]) == printed["subjects"]
        assert all(one["name"].startswith("works.lens/2/") for one in told["subject"])

    def test_of_an_altered_ledger_nothing_is_signed_or_believed(
        self,
        works: Works,
        key: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PATCHAE_LEDGER_KEY", str(key))
        ledger = works.plant.project.ledger
        whole, file = ledger.read_bytes(), tmp_path / "out"
        with closing(sqlite3.connect(ledger)) as database, database:
            database.execute("DROP TRIGGER ledger_no_update")
            database.execute("UPDATE ledger SET actor = 'eve' WHERE seq = 2")
        try:
            for words in (
                ("attest", "works.lens/2", "--out", str(file)),
                ("card", "works.lens/2", "--out", str(file.with_suffix(".md"))),
                ("reproduce", "works.lens/2"),
                ("rollback", "works.lens", "--reason", "it says so"),
            ):
                code, _, err = patchae(capsys, monkeypatch, *words)
                assert code == 1, words
                assert "the ledger cannot be trusted: row 2" in err, words
            assert list(tmp_path.glob("out*")) == []
        finally:
            ledger.write_bytes(whole)

    def test_without_a_key_it_writes_nothing_and_says_how_to_get_one(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "out.json"
        words = ("attest", "works.lens/2", "--out", str(file))
        code, _, err = patchae(capsys, monkeypatch, *words)
        assert (code, file.exists()) == (2, False)
        assert "patchae ledger keygen" in err

    def test_a_card_of_a_registered_version_is_the_one_among_its_artifacts(
        self,
        works: Works,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        tracking = works.tracking()
        artifacts = tracking.artifacts(tracking.version("works.lens", "2"))
        for name in ("model-card.md", "model-card.html"):
            words = ("card", "works.lens", "--out", str(tmp_path / name), "--json")
            code, _, err = patchae(capsys, monkeypatch, *words)
            assert code == 0, err
            assert (tmp_path / name).read_bytes() == (artifacts / name).read_bytes()
        code, out, _ = patchae(capsys, monkeypatch, "card", "works.lens/2")
        assert (code, out.rstrip("\n")) == (0, (tmp_path / "model-card.md").read_text().rstrip())
        code, _, err = patchae(capsys, monkeypatch, "card", "works.lens", "--out", "card.pdf")
        assert (code, "ends with .md or .html" in err) == (2, True)
