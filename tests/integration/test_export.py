"""Exported graphs: the same scores and maps in ONNX Runtime and through torch.export."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F

from patchae import export
from patchae.errors import UsageError
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch
from patchae.model.loose import find_pose, silhouette
from tests.support.trained import Small, small
from tests.unit.model.test_pose import pin

__all__ = ["small"]  # a fixture


def _turning(small: Small) -> PatchAE:
    """The small model, as if its parts lay loose: the graph then turns them first."""
    model = PatchAE.load(small.saved)
    pins = _pins(30)
    model.pose = find_pose([pins], 1.0, 16)
    assert model.pose is not None
    model.looked_at = silhouette([pins], model.pose, model.patch)
    return model


def _pins(count: int) -> torch.Tensor:
    """Pins at all angles, of the small model's size."""
    pins = torch.stack([pin(12 * number, seed=number) for number in range(count)]).float()
    return F.interpolate(pins, size=(64, 64), mode="area").to(torch.uint8)


@pytest.fixture(scope="module", params=["as it is", "turned upright"])
def model(request: pytest.FixtureRequest, small: Small) -> PatchAE:
    """A model with and without a pose."""
    return _turning(small) if request.param == "turned upright" else PatchAE.load(small.saved)


@pytest.fixture(scope="module")
def images(small: Small, model: PatchAE) -> torch.Tensor:
    """Five images, two of them with a defect where the model is that of the small class."""
    if model.pose:
        return _pins(5)
    holes = sorted((small.data / "bolt" / "test" / "hole").iterdir())[:2]
    return load_batch([*small.images[:3], *holes], small.model.settings.image_size)


def test_onnx_runtime_gives_the_same(model: PatchAE, images: torch.Tensor, tmp_path: Path) -> None:
    told = export.export(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["patchae"]) == told
    assert told["threshold"] == model.threshold
    with torch.inference_mode():
        expected = model(images)
    for count in (1, 5):  # the number of images is free
        found = session.run(["scores", "maps"], {"images": images[:count].numpy()})
        for ours, theirs in zip(expected, found, strict=True):
            assert np.abs(ours[:count].numpy() - theirs).max() < 1e-3


def test_no_part_at_all_is_a_high_score_in_onnx_too(small: Small) -> None:
    model = _turning(small)
    session = onnxruntime.InferenceSession(export.to_onnx(model))
    empty = torch.full((1, 3, 64, 64), 200, dtype=torch.uint8)
    with torch.inference_mode():
        expected, _ = model(empty)
    found, maps = session.run(["scores", "maps"], {"images": empty.numpy()})
    assert float(expected[0]) > 3
    assert found[0] == pytest.approx(float(expected[0]), rel=1e-3)
    assert np.isfinite(maps).all()


def test_torch_export_gives_the_same(model: PatchAE, images: torch.Tensor) -> None:
    extra = {export.EXTRA: ""}
    program = torch.export.load(io.BytesIO(export.to_pt2(model)), extra_files=extra)
    assert json.loads(extra[export.EXTRA])["threshold"] == model.threshold
    with torch.inference_mode():
        expected = model(images)
        found = program.module()(images)
    for ours, theirs in zip(expected, found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_equal_models_give_equal_files(small: Small) -> None:
    model = PatchAE.load(small.saved)
    assert export.to_onnx(model) == export.to_onnx(model)


def test_a_model_just_trained_can_be_exported(small: Small, tmp_path: Path) -> None:
    export.export(small.model, tmp_path / "model.pt2")
    assert (tmp_path / "model.pt2").stat().st_size > 0


def test_another_suffix_is_refused_and_nothing_is_written(small: Small, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="suffix") as caught:
        export.export(small.model, tmp_path / "model.tflite")
    assert ".onnx, .pt2" in str(caught.value.mend)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UsageError, match="needs the package onnxscript") as caught:
        export.to_onnx(small.model)
    assert "patchae[onnx]" in str(caught.value.mend)
