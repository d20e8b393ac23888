"""The children of the bench on a tiny class: each method trains, scores and tells what it took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.judge import Product
from bench.methods import METHODS, RIVALS, Method, source_digest
from bench.runs import ChildFailed, Run
from tests.support import SIDE

needs_rivals = pytest.mark.skipif(
    not RIVALS.exists(), reason="no environment of the rivals: make bench-rivals"
)
SMALL = {"memory_size": 200, "channels": 16, "damaged_images": 12}
METHODS_TRIED = [
    pytest.param("bench.ours", {**SMALL, "epochs": 1}, id="ours"),
    pytest.param("bench.ours", {**SMALL, "epochs": 0}, id="not trained"),
    pytest.param("bench.autoencoder", {"steps": 20}, id="auto-encoder"),
    pytest.param(
        "bench.rivals", {"model": "patchcore", "ratio": 0.1}, id="patchcore", marks=needs_rivals
    ),
    pytest.param("bench.rivals", {"model": "padim"}, id="padim", marks=needs_rivals),
]


@pytest.mark.parametrize(("child", "options"), METHODS_TRIED)
def test_a_child_writes_scores_maps_and_facts(
    bolt: Product, tmp_path: Path, child: str, options: dict[str, Any]
) -> None:
    run = Run("tried", Method("tried", child, options), bolt, 0, "cpu", tmp_path)
    assert not run.done
    run.do()
    assert run.done
    assert [path.name for path in tmp_path.iterdir()] == [run.folder.name]
    with np.load(run.folder / "scores.npz") as arrays:
        scores, maps = arrays["scores"], arrays["maps"]
    assert scores.shape == (8,)
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 8
    assert maps.shape == (8, SIDE, SIDE)
    assert maps.dtype == np.float16
    assert float(np.abs(maps).max()) == pytest.approx(1000)
    result = run.result()
    assert result["seed"] == 0
    assert result["image_auroc"] == 1  # a dark square on stripes is not hard to see
    assert result["pixel_auroc"] > 0.7
    assert 0 < result["aupro"] <= 1
    assert 0 < result["imports_memory_mb"] < result["peak_memory_mb"]
    assert result["gpu_peak_mb"] is None
    assert min(result[k] for k in ("training_seconds", "ms_batch1", "ms_batch16")) > 0
    assert result["model_bytes"] > 100_000


def test_a_child_sees_no_label_and_no_mask(bolt: Product, tmp_path: Path) -> None:
    run = Run("tried", Method("tried", "bench.ours", {"epochs": -1}), bolt, 0, "cpu", tmp_path)
    with pytest.raises(ChildFailed):
        run.do()
    (folder,) = tmp_path.iterdir()
    job = json.loads((folder / "job.json").read_text())
    assert set(job) == {
        "folder", "train", "digests", "test", "image_size", "seed", "device", "threads",
            "options",
    }  # fmt: skip
    assert not any("ground_truth" in path for path in job["train"] + job["test"])


def test_a_failure_says_why_and_where(bolt: Product, tmp_path: Path) -> None:
    run = Run("bad", Method("bad", "bench.ours", {"epochs": -1}), bolt, 0, "cpu", tmp_path)
    with pytest.raises(ChildFailed, match=r"output\.txt"):
        run.do()
    assert not run.done
    (folder,) = tmp_path.iterdir()
    assert "epochs" in (folder / "output.txt").read_text()


def test_the_methods_can_be_run() -> None:
    for method in METHODS.values():
        assert len(source_digest(method)) == 64


def test_the_judges_of_patchae_do_not_make_a_run_stale() -> None:
    from bench import methods

    assert "patchae/model/*.py" in methods.SOURCES["bench.ours"]
    without = methods.digest_of(
        [
            path.relative_to(methods.ROOT).as_posix()
            for pattern in methods.SOURCES["bench.ours"]
            for path in methods.ROOT.glob(pattern)
            if path.name not in ("metrics.py", "evaluation.py")
        ]
    )
    assert source_digest(METHODS["patch-ae"]) == without
