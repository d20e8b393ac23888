"""`patchae audit --out`, from a project whose models were trained for real."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from patchae.lineage.bundle import verify
from patchae.registry.tracking import Tracking
from tests.support import patchae
from tests.support.lineage.bundles import Forged, answer, in_state, run
from tests.support.plant import Works, the_works


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """A line whose class `lens` was retrained, and judged beside its champion."""
    return the_works(tmp_path_factory)


def test_the_bundle_of_a_trained_model_is_checked_by_python_alone(
    works: Works,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(works.plant.project.root)
    words = ("audit", "works.lens@champion", "--with-model", "--with-images", "--json", "--out")
    bundle = tmp_path / "empty" / "lens.zip"
    code, out, err = patchae(capsys, monkeypatch, *words, str(bundle))
    assert code == 0, err
    *_, line, last = out.splitlines()
    assert line.startswith(f"bundle: {bundle} (sha256 ")
    assert json.loads(last)["state"] == "intact"
    shutil.copy(verify.__file__, bundle.parent)
    _, anchor, _ = patchae(capsys, monkeypatch, "ledger", "anchor")
    done = run(bundle.parent, "--anchor", anchor.split()[-1], "--json")
    states = {link["code"]: link["state"] for link in json.loads(done.stdout)["links"]}
    unknown = {"audit", "signatures", "keys", "data_version"}
    assert states == {
        code: "not_checkable" if code in unknown else "intact" for code in verify.LINKS
    }, done.stdout
    assert done.returncode == 0
    # The same once more, over the first one, from another folder below the project.
    first = bundle.read_bytes()
    (works.plant.project.root / "data").mkdir(exist_ok=True)
    monkeypatch.chdir(works.plant.project.root / "data")
    assert patchae(capsys, monkeypatch, *words, str(bundle))[0] == 0
    assert bundle.read_bytes() == first
    with zipfile.ZipFile(bundle) as opened:
        assert {"model-card.html", "model-card.md"} <= set(opened.namelist())
        everything = b"".join(opened.read(name) for name in opened.namelist())
    for word in (b"works.disc", b"disc/", b'"disc"'):
        assert word not in everything


def test_a_broken_chain_is_written_and_the_answer_is_no(
    works: Works,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(works.plant.project.root)
    tracking = works.tracking()
    scores = tracking.artifacts(tracking.version("works.lens", "1")) / "scores.csv"
    before = scores.read_text()
    try:
        scores.write_text(before.replace(",1\n", ",0\n", 1))
        bundle = tmp_path / "lens.zip"
        code, _, err = patchae(capsys, monkeypatch, "audit", "works.lens/1", "--out", str(bundle))
    finally:
        scores.write_text(before)
    assert code == 1
    assert "the lineage of works.lens/1 is broken" in err
    assert Forged.read(bundle).json("audit.json")["state"] == "broken"
    assert {"scores", "verdict_recomputed"} <= in_state(answer(bundle), "broken")


def test_a_version_that_mlflow_lost_has_a_bundle_that_says_so(
    works: Works,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, bundle = works.plant.project, tmp_path / "lens.zip"
    monkeypatch.chdir(project.root)
    before = project.ledger.read_bytes()
    body = {"run_id": "1" * 32, "training_key": "1" * 64, "lineage_sha256": "1" * 64}
    words = ("--with-model", "--with-images", "--json", "--out", str(bundle))
    try:
        works.plant.ledger.append("registered", "works.lens", {**body, "version": "9"}, "tester")
        code, out, err = patchae(capsys, monkeypatch, "audit", "works.lens/9", *words)
    finally:
        project.ledger.write_bytes(before)
    assert code == 1
    assert "the lineage of works.lens/9 is broken" in err
    assert json.loads(out.splitlines()[-1])["state"] == "broken"
    assert Forged.read(bundle).json("audit.json")["state"] == "broken"
    assert in_state(answer(bundle), "broken") == {"audit", "lineage_record", "verdict"}


def test_images_that_are_gone_are_missing_in_the_bundle(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patchae.lineage.gather import audit_model
    from patchae.report.bundle import bundle_of

    project = works.plant.project
    tracking = Tracking.open(project)
    found = audit_model(project, tracking, "works.lens/1")
    monkeypatch.setattr("patchae.dataset.dvc_store.Store.read", lambda *_: None)
    bundle_of(project, tracking, found, tmp_path / "b.zip", with_images=True)
    state, detail = answer(tmp_path / "b.zip")["images"]
    assert (state, detail.endswith(": missing")) == ("broken", True)


def test_a_bundle_is_of_one_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = patchae(capsys, monkeypatch, "audit", "--all", "--out", "all.zip")
    assert (code, out) == (2, "")
    assert "a bundle is of one model" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "."], "there is a folder of this name"),
        (["--out", "-"], "cannot be written to standard output"),
        (["--with-model"], "none is written"),
        (["--with-images"], "none is written"),
    ],
)
def test_wrong_use_is_said_before_anything_is_audited(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = patchae(capsys, monkeypatch, "audit", "a.b", *words)
    assert (code, out) == (2, "")
    assert said in err
