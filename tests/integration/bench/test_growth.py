"""Cost by the number of images, at tiny sizes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import growth
from bench.methods import METHODS, Method
from patchae.dataset.layout import image_files
from patchae.files import sha256_file
from tests.support import SIDE
from tests.support.bench.fixtures import MARKS


def test_every_copy_is_another_file_that_looks_the_same(plant: Path, tmp_path: Path) -> None:
    sources = image_files(plant / "bolt" / "train" / "good")
    files = growth.jittered(sources, 3 * len(sources), tmp_path)
    assert len({sha256_file(path) for path in files}) == len(files) == 24
    for path, source in zip(files, 3 * sources, strict=True):
        copy, original = (np.asarray(Image.open(p), float) for p in (path, source))
        assert copy.shape == original.shape
        assert abs(copy.mean() / original.mean() - 1) < 0.07


def test_the_table_has_a_row_for_each_size(
    plant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"memory_size": 200, "channels": 16, "epochs": 0, "damaged_images": 12}
    monkeypatch.setitem(METHODS, "patch-ae", Method("tiny", "bench.ours", options))
    results, page = tmp_path / "growth.json", tmp_path / "page.md"
    page.write_text(MARKS)
    places = ["--results", str(results), "--page", str(page)]
    models = ["--model-results", str(tmp_path / "none.json"), "--image-size", str(SIDE)]
    assert growth.main([str(plant), "--sizes", "12", "6", *places, *models]) == 0
    content = json.loads(results.read_text())
    assert [run["images"] for run in content["runs"]] == [6, 12]
    assert content["class"] == "bolt"
    assert all(run["training_seconds"] > 0 for run in content["runs"])
    assert "| 12 |" in page.read_text()
    assert "Not measured yet: `make bench-model" in page.read_text()


@pytest.mark.parametrize("more", [[], ["--class", "magic"]])
def test_misuse_is_told(
    plant: Path, tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = [str(plant)] if more else [str(tmp_path)]
    assert growth.main([*data, *more]) == 2
    assert "make bench-growth DATA=folder" in capsys.readouterr().err
    assert growth.main([]) == 2
