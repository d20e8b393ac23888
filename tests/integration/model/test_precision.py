"""`precision: mixed` on the CPU: the networks compute with 16 bits, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from patchae import export
from patchae.errors import UsageError
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch
from patchae.model.training import train
from tests.support.trained import SETTINGS, Small

APART = 0.2
"""How far 8 bits of mantissa may move a score, as a share of the threshold or a score above it."""


@pytest.fixture(scope="module")
def mixed(small: Small) -> PatchAE:
    """The small class again, trained with 16 bits."""
    settings = SETTINGS.model_copy(update={"precision": "mixed"})
    return train(small.images, small.digests, settings)


def _scores(model: PatchAE, small: Small) -> np.ndarray:
    return np.array([one.score for one in model.score(_files(small))])


def _files(small: Small) -> list[Path]:
    return [small.data / image.path for image in small.tests()]


def test_the_scores_are_those_of_full_precision_but_for_rounding(
    small: Small, mixed: PatchAE, tmp_path: Path
) -> None:
    mixed.save(tmp_path)
    full = PatchAE.load(tmp_path)
    full.settings = mixed.settings.model_copy(update={"precision": "full"})
    half, whole = _scores(mixed, small), _scores(full, small)
    assert (half != whole).any(), "16 bits were used"
    assert (np.abs(half - whole) <= APART * np.maximum(whole, mixed.threshold)).all()


def test_a_class_that_was_trained_with_it_finds_its_defects(small: Small, mixed: PatchAE) -> None:
    scores, defective = _scores(mixed, small), [bool(image.label) for image in small.tests()]
    assert scores[defective].min() > max(mixed.threshold, scores[~np.array(defective)].max())


def test_it_is_saved_and_loaded_with_its_precision(
    small: Small, mixed: PatchAE, tmp_path: Path
) -> None:
    mixed.save(tmp_path)
    again = PatchAE.load(tmp_path)
    assert again.settings.precision == "mixed"
    assert np.array_equal(_scores(mixed, small), _scores(again, small))


def test_torch_export_gives_the_same(small: Small, mixed: PatchAE, tmp_path: Path) -> None:
    export.export(mixed, tmp_path / "model.pt2")
    images = load_batch(_files(small)[:3], SETTINGS.image_size)
    with torch.inference_mode():
        expected = mixed(images)
        found = torch.export.load(tmp_path / "model.pt2").module()(images)
    for ours, theirs in zip(expected, found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-3)


def test_onnx_is_refused_since_its_runtime_has_no_such_numbers(
    mixed: PatchAE, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="precision: mixed") as found:
        export.export(mixed, tmp_path / "model.onnx")
    assert "precision: auto" in str(found.value.mend)
    assert list(tmp_path.iterdir()) == []
