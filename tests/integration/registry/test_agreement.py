"""A restore that is not whole is said: by doctor, status, `ledger verify` and the audit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchae.health import examine
from patchae.lineage.gather import audit_model
from patchae.project import Project
from patchae.registry.agreement import disagreements
from patchae.registry.relocate import relocate
from patchae.registry.tracking import Tracking
from tests.support import clean, patchae
from tests.support.registry.memory import MODEL
from tests.support.retention.shop import Shop


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose stores agree, and beside it older states of its ledger and its MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        shop = Shop(tmp_path_factory.mktemp("whole") / "plant")
        root = shop.project.root
        for make in (shop.champion, shop.champion):
            version = shop.tracking.version(MODEL, make())
            rows = [row for row in shop.entries if row.body.get("version") == version.version]
            for name, row in zip(("registered", "verdict"), rows, strict=False):
                shop.tracking.link(version, name, row)
            if version.version == "1":
                shutil.copytree(root / ".patchae", root / "older")
        yield root


@pytest.fixture
def plant(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of that kind for one story, which is the current folder."""
    root = tmp_path / "plant"
    shutil.copytree(whole, root)
    relocate(Project(root))
    monkeypatch.chdir(root)
    return root


def state_of(root: Path) -> tuple[str, str]:
    found = {one.check: one for one in examine(Project(root), None)}["stores"]
    return found.state, found.detail


def test_stores_that_agree_are_said_to(
    plant: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disagreements(Project(plant)) == []
    assert state_of(plant)[0] == "ok"
    for words in (("status",), ("ledger", "verify")):
        assert patchae(capsys, monkeypatch, *words)[0] == 0


@pytest.mark.parametrize("older", [True, False], ids=["older", "gone"])
def test_a_ledger_that_lacks_rows_is_broken(
    plant: Path, older: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = plant / ".patchae" / "ledger.db"
    ledger.unlink()
    if older:
        shutil.copy(plant / "older" / "ledger.db", ledger)
    state, detail = state_of(plant)
    assert state == "fail"
    assert "the ledger lacks row" in detail
    for words in (("status",), ("ledger", "verify")):
        code, out, err = patchae(capsys, monkeypatch, *words)
        assert (code, "the ledger lacks row" in out + err) == (1, True), words
    found = audit_model(Project(plant), Tracking.open(Project(plant)), f"{MODEL}/2")
    assert found.state == "broken"
    assert any("the ledger lacks row" in link.detail for link in found.broken)


def test_an_mlflow_that_lacks_a_version_is_broken_if_it_is_in_use(
    plant: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(plant / ".patchae" / "mlflow")
    shutil.copytree(plant / "older" / "mlflow", plant / ".patchae" / "mlflow")
    relocate(Project(plant))
    state, detail = state_of(plant)
    assert (state, f"MLflow lacks version 2 of {MODEL}" in detail) == ("fail", True)
    assert patchae(capsys, monkeypatch, "status")[0] == 1


def test_an_mlflow_that_is_gone_is_broken_and_not_made_anew(
    plant: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(plant / ".patchae" / "mlflow")
    code, out, _ = patchae(capsys, monkeypatch, "status")
    assert (code, "MLflow's store is gone" in out) == (1, True)


def test_files_that_are_gone_are_broken_for_the_champion_alone(plant: Path) -> None:
    shop = Shop(plant)
    for version, state in (("1", "fail"), ("2", "fail")):  # the one before is in use, too
        shutil.rmtree(shop.tracking.model_folder(shop.tracking.version(MODEL, version)))
        found, detail = state_of(plant)
        assert (found, f"{MODEL}/{version}" in detail) == (state, True)


def test_an_old_version_that_somebody_deleted_in_mlflow_is_a_warning(plant: Path) -> None:
    shop = Shop(plant)
    shop._made = 100
    shop.tracking.client.delete_model_version(MODEL, shop.rejected())
    assert state_of(plant)[0] == "warn"
    assert not any(one.broken for one in disagreements(Project(plant)))
