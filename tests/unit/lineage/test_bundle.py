"""A bundle holds what is needed to check one version, nothing of any other, and always the same."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from patchae.errors import UsageError
from patchae.files import sha256_bytes, sha256_file
from patchae.lineage import schema
from patchae.lineage.audit import audit
from patchae.lineage.bundle import verify
from patchae.lineage.bundle.ledger_part import excerpt, public_keys
from patchae.lineage.bundle.write import write_zip
from patchae.registry.export import Anchor
from patchae.report.bundle import require_bundle, write_pages
from tests.support import ROOT
from tests.support.lineage.builder import build
from tests.support.lineage.bundles import OTHER, Forged, Made, answer, in_state, run
from tests.support.registry.memory import MODEL

NOT_IN_IT = {"model_files", "images"}
ALWAYS_UNKNOWN = {"data_version", "audit"}


def test_the_first_version_and_an_unpacked_bundle(made: Made, tmp_path: Path) -> None:
    bundle = made.write(tmp_path / "one.zip", "1")
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(tmp_path / "unpacked")
    done = run(tmp_path / "unpacked", "--anchor", made.anchor)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == f"{MODEL}/1"
    assert lines[-1] == f"intact: {len(verify.LINKS)} links, 3 not checkable"
    assert len(lines) == len(verify.LINKS) + 2
    assert "as of the newest row it is previous" in done.stdout
    assert not (tmp_path / "unpacked" / "__pycache__").exists()


def test_without_anchor_and_key_it_says_that_it_cannot_tell(made: Made, tmp_path: Path) -> None:
    found = answer(made.write(tmp_path / "b.zip"))
    assert in_state(found, "broken") == set()
    assert in_state(found, "not_checkable") == {"anchor", "keys", *ALWAYS_UNKNOWN}
    assert "the end could be missing" in found["anchor"][1]


def test_equal_input_gives_equal_bytes(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made.write(tmp_path / "first.zip")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    copy = Made(made.built.copy(tmp_path / "moved"), made.images, made.key)
    second = copy.write(Path("second.zip"))
    assert first.read_bytes() == second.read_bytes()


def test_the_zip_holds_no_time_and_compresses_nothing(made: Made, tmp_path: Path) -> None:
    with zipfile.ZipFile(made.write(tmp_path / "b.zip")) as opened:
        entries = opened.infolist()
    assert [one.filename for one in entries] == sorted(one.filename for one in entries)
    assert {one.date_time for one in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {one.compress_type for one in entries} == {zipfile.ZIP_STORED}
    assert {(one.external_attr >> 16, one.create_system) for one in entries} == {(0o100644, 3)}


def test_nothing_of_other_models_is_in_it(made: Made, tmp_path: Path) -> None:
    forged = Forged.read(made.write(tmp_path / "b.zip", images=False))
    everything = b"\n".join((*forged.files.values(), *(n.encode() for n in forged.files)))
    own = {row.model for row in made.built.ledger.entries()} - {MODEL}
    assert own == {OTHER, "other.model"}
    for word in (OTHER, "gear", "other.model", "somebody else", "nut/"):
        assert word.encode() not in everything, word
    shown = [set(row) for row in forged.rows if row.get("model") != MODEL]
    assert shown == [{"seq", "content", "signature"}] * 3


def test_what_is_in_it(made: Made, tmp_path: Path) -> None:
    forged = Forged.read(made.write(tmp_path / "b.zip"))
    files = {name for name in forged.files if not name.startswith(("images/", "keys/"))}
    (champion,) = (name for name in files if name.startswith("champion-1/scores-"))
    assert files == {
        *("bundle.json", "index.html", "verify.py", "audit.json", "ledger.jsonl", champion),
        *("lineage.json", "lineage-2.schema.json", "manifest.csv", "split.csv", "validation.json"),
        *("scores.csv", "components.json", "verdicts.json", "policy.json", "probe/000.png"),
        *("model/MLmodel", "model/artifacts/model.safetensors"),
    }
    assert {n for n in forged.files if n.startswith("images/")} == {
        f"images/{path}" for path in made.images
    }
    assert forged.files["verify.py"] == Path(verify.__file__).read_bytes()
    index = forged.json("bundle.json")
    assert index["schema"] == "patchae.bundle/1"
    assert str(Anchor(**index["ledger"])) == made.anchor
    assert index["files"]["scores.csv"] == {
        "sha256": sha256_bytes(forged.files["scores.csv"]),
        "bytes": len(forged.files["scores.csv"]),
    }


def test_the_public_key_is_the_one_that_keygen_wrote(made: Made) -> None:
    _, signatures = made.built.ledger.signed_rows()
    assert list(public_keys(signatures).values()) == [made.key.read_bytes()]


def test_a_broken_chain_is_bundled_all_the_same(made: Made, tmp_path: Path) -> None:
    built = made.built.copy(tmp_path / "version")
    (built.artifacts / "scores.csv").unlink()
    (built.model / "artifacts" / "model.safetensors").write_text("other")
    broken = Made(built, made.images, made.key)
    bundle = broken.write(tmp_path / "b.zip")
    forged = Forged.read(bundle)
    assert "scores.csv" not in forged.files
    assert forged.json("audit.json")["state"] == "broken"
    assert "scores.csv: cannot be read" in forged.files["index.html"].decode()
    found = answer(bundle)
    assert in_state(found, "broken") == {"audit", "scores", "model_files", "verdict_recomputed"}
    assert found["scores"][1] == "scores.csv: missing"


def test_a_version_without_anything_left_still_gives_a_bundle(made: Made, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    sources = made.sources(artifacts=tmp_path / "empty", model=False, images=False)
    write_pages(tmp_path / "b.zip", sources)
    found = answer(tmp_path / "b.zip")
    assert found["bundle_files"][0] == "intact"
    assert {"lineage_record", "registered"} & in_state(found, "intact") == set()
    assert "lineage.json: missing" in found["lineage_record"][1]


def test_altered_rows_are_shown_as_they_are(made: Made, tmp_path: Path) -> None:
    from dataclasses import replace

    rows, signatures = made.built.ledger.signed_rows()
    for number, body in ((0, "{not json"), (3, '{"b": 1}'), (5, "{not json")):
        altered = list(rows)
        altered[number] = replace(rows[number], body=body)
        write_pages(tmp_path / "b.zip", made.sources(rows=altered))
        found = answer(tmp_path / "b.zip")
        assert found["ledger_chain"][0] == "broken", body
        assert body.strip("{}") not in excerpt(altered, signatures, "nobody")


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({"ignored_gate": True}, {"verdict_recomputed"}),
        ({"leak": True}, {"split", "images"}),
        ({"claimed_auroc": 0.999}, {"evaluation"}),
        ({"failed_validation": True}, {"validation", "verdict_recomputed"}),
    ],
)
def test_a_run_that_was_dishonest_from_the_start(
    made: Made, tmp_path: Path, options: dict[str, Any], codes: set[str]
) -> None:
    built = build(tmp_path / "version", **options)
    rows, signatures = built.ledger.signed_rows()
    found = audit(built.material())
    sources = made.sources(audit=found, artifacts=built.artifacts, rows=rows, signatures=signatures)
    write_pages(tmp_path / "b.zip", sources)
    assert in_state(answer(tmp_path / "b.zip"), "broken") == {"audit", *codes}


def test_the_page_tells_the_story_and_loads_nothing(made: Made, tmp_path: Path) -> None:
    page = Forged.read(made.write(tmp_path / "b.zip")).files["index.html"].decode()
    for text in (
        f"<h1>{MODEL}, version 2</h1>",
        "default-src 'none'",
        "It is not worse than champion version 1 by more than 0.5",
        "champion (promoted)",
        made.anchor,
        "11 rows: 8 on this model in full",
    ):
        assert text in page, text
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_page_leads_to_other_pages_about_the_model(made: Made, tmp_path: Path) -> None:
    write_pages(tmp_path / "b.zip", made.sources(), {"model-card.html": b"a card"})
    forged = Forged.read(tmp_path / "b.zip")
    assert forged.files["model-card.html"] == b"a card"
    assert b'<a href="model-card.html">' in forged.files["index.html"]
    assert in_state(answer(tmp_path / "b.zip"), "broken") == set()


def test_a_bundle_appears_in_one_step(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = made.write(tmp_path / "b.zip", model=False)
    before = target.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        made.write(target)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_wrong_targets_are_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is a folder of this name"):
        made.write(tmp_path)
    with pytest.raises(UsageError, match="standard output"):
        made.write(Path("-"))
    with pytest.raises(UsageError, match="none is written"):
        require_bundle(None, True, False)
    require_bundle(None, False, False)
    require_bundle(tmp_path / "b.zip", True, True)


def test_a_zip_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    write_zip(tmp_path / "a.zip", {"b": b"1", "a/ü": tmp_path / "file"})
    write_zip(tmp_path / "b.zip", {"a/ü": b"content", "b": b"1"})
    assert sha256_file(tmp_path / "a.zip") == sha256_file(tmp_path / "b.zip")


def test_verify_knows_the_schema_of_today() -> None:
    assert schema.FILE.name == verify.SCHEMA_FILE
    assert sha256_file(schema.FILE) == verify.SCHEMA_SHA256


def test_the_docs_explain_every_link() -> None:
    page = (ROOT / "docs" / "bundle.md").read_text()
    for code, (title, _) in verify.LINKS.items():
        assert f"| `{code}` | {title} |" in page
    for name in ("model", "version", "state", "not_checkable", *(f"links[].{f}" for f in FIELDS)):
        assert f"| `{name}` |" in page


FIELDS = ("code", "title", "state", "detail")
