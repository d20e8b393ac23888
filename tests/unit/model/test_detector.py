"""The trained model: one image, one score, whatever way it comes in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from patchae.errors import DataError
from patchae.model.detector import FACTS_FILE, WEIGHTS_FILE, PatchAE
from patchae.model.split import calibration_split
from tests.support.trained import SETTINGS, Small


def _scores(model: PatchAE, sources: list[Path] | list[np.ndarray], batch: int = 8) -> list[float]:
    return [scored.score for scored in model.score(sources, batch)]


def test_defects_are_alarms_and_calibration_images_are_not(small: Small) -> None:
    defects = small.model.score(sorted((small.data / "bolt" / "test" / "hole").iterdir()))
    assert all(scored.anomalous for scored in defects)
    split = calibration_split(small.digests, SETTINGS.calibration_share, SETTINGS.seed)
    aside = [path for path, calibrates in zip(small.images, split, strict=True) if calibrates]
    scored = small.model.score(aside, SETTINGS.batch_size)
    assert sorted(one.score for one in scored) == small.model.facts["calibration_scores"]
    assert not any(one.anomalous for one in scored), "so few set the threshold at the largest"
    assert min(one.score for one in defects) > 2 * small.model.threshold


def test_a_map_shows_where_the_defect_is(small: Small) -> None:
    for scored in small.model.score(sorted((small.data / "bolt" / "test" / "hole").iterdir())):
        assert scored.map.shape == (SETTINGS.image_size, SETTINGS.image_size)
        assert scored.map.dtype == np.float32
        assert scored.map.min() >= 0
        near = np.zeros(scored.map.shape, bool)
        # The hole spans 20..36; a patch and its neighbours reach 12 pixels further.
        near[8:48, 8:48] = True
        assert scored.map[20:36, 20:36].mean() > 1.2 * scored.map[~near].mean()


def test_scores_are_never_negative(small: Small) -> None:
    random = np.random.default_rng(0)
    strange = [np.zeros((64, 64), np.uint8), np.full((64, 64, 3), 255, np.uint8)]
    strange += [random.integers(0, 256, (side, side, 3), np.uint8) for side in (16, 64, 200)]
    scores = _scores(small.model, strange)
    assert all(np.isfinite(scores))
    assert min(scores) >= 0
    assert all(scored.anomalous for scored in small.model.score(strange))


def test_company_in_a_batch_does_not_change_a_score(small: Small) -> None:
    paths = [small.data / image.path for image in small.tests()[3:9]]  # 3 good, 3 defective
    alone = _scores(small.model, paths, batch=1)
    assert _scores(small.model, paths, batch=4) == pytest.approx(alone, rel=1e-4)
    assert _scores(small.model, paths[::-1])[::-1] == pytest.approx(alone, rel=1e-4)


def test_no_images_give_no_scores(small: Small) -> None:
    assert small.model.score([]) == []


def test_a_file_and_its_arrays_have_one_score(small: Small, tmp_path: Path) -> None:
    path = small.data / small.tests()[0].path
    with Image.open(path) as image:
        pixels = np.asarray(image)
    expected = _scores(small.model, [path])
    assert _scores(small.model, [pixels]) == expected
    assert _scores(small.model, [pixels.astype(np.float32) / 255]) == expected
    lowest = min(_scores(small.model, [small.data / t.path for t in small.tests() if t.label]))
    for mode in ("L", "RGBA", "P", "I;16"):
        file = tmp_path / "other.png"
        if mode == "I;16":
            Image.fromarray(pixels[..., 0].astype(np.uint16) << 8).save(file)
        else:
            Image.fromarray(pixels).convert(mode).save(file)
        (scored,) = small.model.score([file])
        assert scored.score < lowest / 2, f"{mode}: a good part stays far from the defects"


def test_a_saved_model_scores_as_before(small: Small, tmp_path: Path) -> None:
    again = PatchAE.load(small.saved)
    paths = [small.data / image.path for image in small.tests()]
    assert _scores(again, paths) == _scores(small.model, paths)
    assert (again.threshold, again.settings) == (small.model.threshold, SETTINGS)
    assert not any(module.training for module in again.modules())
    again.save(tmp_path)  # and saves to the bytes that it came from
    for name in (WEIGHTS_FILE, FACTS_FILE):
        assert (tmp_path / name).read_bytes() == (small.saved / name).read_bytes()


def _edited(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        facts = json.loads((folder / FACTS_FILE).read_text())
        change(facts)
        (folder / FACTS_FILE).write_text(json.dumps(facts))

    return edit


def _truncate(folder: Path) -> None:
    whole = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(whole[: len(whole) // 2])


def _without_memory(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / WEIGHTS_FILE)
    save_file(
        {k: v.clone() for k, v in tensors.items() if k != "members.0.memory"}, folder / WEIGHTS_FILE
    )


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no folder": shutil.rmtree,
    "no facts": lambda folder: (folder / FACTS_FILE).unlink(),
    "no weights": lambda folder: (folder / WEIGHTS_FILE).unlink(),
    "facts are no JSON": lambda folder: (folder / FACTS_FILE).write_text("{"),
    "facts are a list": lambda folder: (folder / FACTS_FILE).write_text("[1]"),
    "facts are null": lambda folder: (folder / FACTS_FILE).write_text("null"),
    "no format": _edited(lambda facts: facts.pop("format")),
    "no settings": _edited(lambda facts: facts.pop("settings")),
    "unknown setting": _edited(lambda facts: facts.update(settings={"depth": 3})),
    "truncated weights": _truncate,
    "weights of another size": _edited(
        lambda facts: facts.update(settings={**SETTINGS.model_dump(mode="json"), "channels": 32})
    ),
    "weights without a memory": _without_memory,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_folder_without_a_whole_model_is_a_data_error(
    small: Small, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(small.saved, folder)
    DAMAGE[damage](folder)
    with pytest.raises(DataError, match=r"^not a model: ") as caught:
        PatchAE.load(folder)
    assert caught.value.where == str(folder)


def test_a_model_of_another_format_says_so(small: Small, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(small.saved, folder)
    _edited(lambda facts: facts.update(format="patchae.model/9", settings={"depth": 3}))(folder)
    with pytest.raises(DataError, match=r"format patchae\.model/9, expected patchae\.model/4"):
        PatchAE.load(folder)


def test_scoring_leaves_the_model_as_it_was(small: Small) -> None:
    before = {key: value.clone() for key, value in small.model.state_dict().items()}
    small.model.score(small.images[:2])
    for key, value in small.model.state_dict().items():
        assert torch.equal(value, before[key])
