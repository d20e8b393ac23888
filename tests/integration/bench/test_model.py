"""The bench as a command: what it runs, what it keeps, what it does not run twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import methods, model, runs
from bench.judge import IMAGE_ONLY, Product, judge, read_product
from bench.methods import Method
from bench.runs import Run
from patchae.model.metrics import aupro, auroc
from tests.support import SIDE, write_class, write_image
from tests.support.bench.fixtures import MARKS

TINY = {"memory_size": 200, "channels": 16, "epochs": 0, "damaged_images": 12}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, Method]:
    """Two quick methods instead of the real ones."""
    table = {
        "patchcore": Method("first", "bench.autoencoder", {"steps": 2}),
        "second": Method("second", "bench.ours", TINY),
    }
    for module in (methods, model):
        monkeypatch.setattr(module, "METHODS", table)
    return table


def _command(data: Path, tmp_path: Path, *more: str) -> int:
    page = tmp_path / "page.md"
    page.write_text(MARKS)
    places = ["--results", str(tmp_path / "r.json"), "--page", str(page)]
    kept = ["--kept", str(tmp_path / "kept"), "--image-size", str(SIDE), "--device", "cpu"]
    return model.main([str(data), *places, *kept, *more])


@pytest.mark.usefixtures("tiny")
def test_a_bench_that_was_stopped_goes_on(
    plant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(plant, tmp_path, "--seeds", "1", "--methods", "second") == 0
    content = json.loads((tmp_path / "r.json").read_text())
    assert list(content["classes"]["bolt"]["methods"]) == ["second"]
    assert "second on bolt, seed 0" in capsys.readouterr().out
    assert _command(plant, tmp_path, "--seeds", "1") == 0
    printed = capsys.readouterr().out
    assert "patchcore on bolt, seed 0" in printed  # the missing one
    assert "second on bolt" not in printed  # not the one that is there
    content = json.loads((tmp_path / "r.json").read_text())
    assert {len(found) for found in content["classes"]["bolt"]["methods"].values()} == {1}
    assert _command(plant, tmp_path, "--seeds", "1", "--methods", "second", "--again") == 0
    printed = capsys.readouterr().out
    assert "second on bolt, seed 0" in printed  # though it is there
    assert "patchcore on bolt" not in printed
    page = (tmp_path / "page.md").read_text()
    assert "| second |" in page
    assert "### Relative to first" in page


@pytest.mark.usefixtures("tiny")
def test_results_written_before_count_on_another_machine(
    plant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(plant, tmp_path, "--seeds", "1", "--methods", "second") == 0
    written = (tmp_path / "r.json").read_text(), (tmp_path / "scores.json").read_text()
    shutil.rmtree(tmp_path / "kept")
    capsys.readouterr()
    assert _command(plant, tmp_path, "--seeds", "1", "--methods", "second") == 0
    assert "second on bolt" not in capsys.readouterr().out
    assert ((tmp_path / "r.json").read_text(), (tmp_path / "scores.json").read_text()) == written
    (tmp_path / "r.json").write_text(written[0].replace('"judge": "', '"judge": "x'))
    assert _command(plant, tmp_path, "--seeds", "1", "--methods", "second") == 0
    assert "second on bolt" in capsys.readouterr().out, "judged by code that is no more"


def test_what_determines_a_run_names_its_folder(
    bolt: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Method("a", "bench.ours", TINY)
    run = Run("a", method, bolt, 0, "cpu", tmp_path)
    assert run.folder == Run("a", method, bolt, 0, "cpu", tmp_path).folder
    other = write_class(tmp_path, "nut", train_good=2, test_good=1, test_defect=1)
    folders = {
        run.folder,
        Run("a", method, bolt, 1, "cpu", tmp_path).folder,
        Run("a", method, bolt, 0, "cuda", tmp_path).folder,
        Run("a", Method("a", "bench.ours", {"epochs": 1}), bolt, 0, "cpu", tmp_path).folder,
        Run("a", Method("a", "bench.autoencoder", TINY), bolt, 0, "cpu", tmp_path).folder,
        Run("a", method, read_product(tmp_path, "nut", SIDE), 0, "cpu", tmp_path).folder,
    }
    write_image(other / "train" / "good" / "000.png", 999)
    folders.add(Run("a", method, read_product(tmp_path, "nut", SIDE), 0, "cpu", tmp_path).folder)
    monkeypatch.setattr(runs, "source_digest", lambda _: "edited")
    assert run.folder in folders, "fixed when first asked"
    folders.add(Run("a", method, bolt, 0, "cpu", tmp_path).folder)
    assert len(folders) == 8


def test_metrics_are_of_the_maps_and_masks_and_kept(bolt: Product, tmp_path: Path) -> None:
    known, masks = bolt.masks or pytest.fail("no masks")
    assert known == list(range(8))
    random = np.random.default_rng(0)
    maps = (masks + random.normal(0, 0.5, masks.shape)).astype(np.float16)
    scores = np.array(bolt.labels) + random.normal(0, 1, 8)
    np.savez_compressed(tmp_path / "scores.npz", scores=scores, maps=maps)
    found = judge(tmp_path, bolt)
    assert found["image_auroc"] == auroc(bolt.labels, scores)
    assert found["pixel_auroc"] == auroc(masks.ravel(), maps.ravel())
    assert found["aupro"] == aupro(masks, maps.astype(np.float32))
    (tmp_path / "scores.npz").unlink()
    assert judge(tmp_path, bolt) == found


def test_masks_that_do_not_fit_are_not_used(tmp_path: Path) -> None:
    (name,) = IMAGE_ONLY
    write_class(tmp_path, name, train_good=2, test_good=2, test_defect=2)
    product = read_product(tmp_path, name, SIDE)
    assert product.masks is None
    maps = np.zeros((4, SIDE, SIDE), np.float16)
    np.savez_compressed(tmp_path / "scores.npz", scores=np.arange(4.0), maps=maps)
    found = judge(tmp_path, product)
    assert found["pixel_auroc"] is None
    assert found["aupro"] is None
    assert 0 <= found["image_auroc"] <= 1


def test_a_defective_image_without_a_mask_has_no_pixels(plant: Path, tmp_path: Path) -> None:
    shutil.copytree(plant / "bolt", tmp_path / "bolt")
    (tmp_path / "bolt" / "ground_truth" / "hole" / "001_mask.png").unlink()
    product = read_product(tmp_path, "bolt", SIDE)
    known, masks = product.masks or pytest.fail("no masks")
    assert len(known) == len(masks) == 7
    assert [bool(mask.any()) for mask in masks] == [bool(product.labels[i]) for i in known]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--methods", "magic"], "no method is called 'magic'"),
        (["--classes", "magic"], "no class is called 'magic'"),
    ],
)
def test_unknown_names_are_told(
    plant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert _command(plant, tmp_path, *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


def test_no_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert model.main([]) == 2
    assert "make bench-model DATA=folder" in capsys.readouterr().err
    assert _command(tmp_path / "nowhere", tmp_path) == 2
    (tmp_path / "empty").mkdir()
    assert _command(tmp_path / "empty", tmp_path) == 2
    assert "CLASS/train/good" in capsys.readouterr().err


def test_one_failure_stops_no_other_run(
    plant: Path,
    tmp_path: Path,
    tiny: dict[str, Method],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(methods, "RIVALS", tmp_path / "absent")
    tiny["patchcore"] = Method("broken", "bench.ours", {"epochs": -1})
    tiny["away"] = Method("away", "bench.rivals", {"model": "padim"})
    assert _command(plant, tmp_path, "--seeds", "1") == 1
    said = capsys.readouterr()
    assert "output.txt" in said.err
    assert "make bench-rivals" in said.err
    assert list(json.loads((tmp_path / "r.json").read_text())["classes"]["bolt"]["methods"]) == [
        "second"
    ]


def test_the_ratio_of_patchcore_is_in_its_name_and_options() -> None:
    run = model.with_ratio(methods.METHODS["patchcore"], 0.1)
    assert run.title == "PatchCore-10% (anomalib)"
    assert run.options == {"model": "patchcore", "ratio": 0.1}
    assert model.with_ratio(methods.METHODS["padim"], 0.1) == methods.METHODS["padim"]
