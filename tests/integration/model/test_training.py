"""Training: equal inputs give equal bytes, and only train/good is ever read."""

from __future__ import annotations

import math
import shutil
import threading
from pathlib import Path

import pytest
import torch

from patchae.config import Training
from patchae.errors import ConfigError, DataError
from patchae.files import sha256_file
from patchae.model.detector import FACTS_FILE, WEIGHTS_FILE
from patchae.model.split import calibration_split
from patchae.model.training import FEWEST, pick_device, train
from tests.support import write_class
from tests.support.trained import SETTINGS, Small


def _trained(folder: Path, saved: Path, settings: Training = SETTINGS) -> dict[str, bytes]:
    """The files of a model trained on a folder of good images."""
    images = sorted(folder.iterdir())
    train(images, [sha256_file(path) for path in images], settings).save(saved)
    return _files(saved)


def _files(saved: Path) -> dict[str, bytes]:
    assert {path.name for path in saved.iterdir()} == {WEIGHTS_FILE, FACTS_FILE}
    return {path.name: path.read_bytes() for path in saved.iterdir()}


def test_equal_inputs_give_equal_bytes_elsewhere_without_test_images(
    small: Small, tmp_path: Path
) -> None:
    copy = tmp_path / "bolt" / "train" / "good"
    shutil.copytree(small.images[0].parent, copy)  # no test folder beside it
    torch.manual_seed(12345)  # the first training ran with another global state
    again = _trained(copy, tmp_path / "saved")
    assert again == _files(small.saved)
    assert str(small.data).encode() not in again[FACTS_FILE], "no path of this machine is kept"


def test_another_class_trained_at_the_same_moment_changes_nothing(
    small: Small, tmp_path: Path
) -> None:
    other = write_class(tmp_path / "data", "nut", train_good=12, seed=1) / "train" / "good"
    results: dict[str, dict[str, bytes]] = {}

    def work(name: str, folder: Path) -> None:
        results[name] = _trained(folder, tmp_path / name)

    threads = [
        threading.Thread(target=work, args=arguments)
        for arguments in (("bolt", small.images[0].parent), ("nut", other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results["bolt"] == _files(small.saved)
    assert results["nut"] != results["bolt"]


def test_the_seed_reaches_the_untrained_encoder_too(small: Small) -> None:
    few, digests = small.images[:5], small.digests[:5]
    drawn = []
    for seed in (0, 1):
        model = train(few, digests, SETTINGS.model_copy(update={"epochs": 0, "seed": seed}))
        assert model.facts["losses"] == []
        assert math.isfinite(model.threshold)
        drawn.append(model.each()[0][0].autoencoder.state_dict())
    assert not torch.equal(drawn[0]["encoder.0.weight"], drawn[1]["encoder.0.weight"])


def test_the_facts_tell_what_was_done(small: Small) -> None:
    facts = small.model.facts
    aside = sum(calibration_split(small.digests, SETTINGS.calibration_share, SETTINGS.seed))
    assert facts["calibration"] == len(facts["calibration_scores"]) == aside
    assert facts["learned"] + facts["calibration"] == len(small.images)
    assert len(facts["losses"]) == SETTINGS.epochs
    assert facts["device"] == "cpu"
    assert facts["threshold"] in facts["calibration_scores"]


def test_learning_lowers_the_loss_and_progress_counts_to_its_end(small: Small) -> None:
    seen: list[tuple[str, int, int]] = []
    settings = SETTINGS.model_copy(update={"epochs": 6, "batch_size": 1})

    def note(what: str, done: int, total: int) -> None:
        seen.append((what.partition(",")[0], done, total))  # behind it stands the loss

    model = train(small.images[:6], small.digests[:6], settings, progress=note)
    losses = model.facts["losses"]
    assert losses[-1] < 0.8 * losses[0]
    parts = ["looking", "learning", "telling apart", "calibrating"]
    assert list(dict.fromkeys(what for what, _, _ in seen)) == parts
    for part in parts:
        counts = [(done, total) for what, done, total in seen if what == part]
        total = counts[0][1]
        assert counts == [(done, total) for done in range(1, total + 1)]


def test_what_a_killed_training_kept_changes_no_byte(small: Small, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for name in ("first", "second"):  # the second finds the work of the first
        train(small.images, small.digests, SETTINGS, kept=kept).save(tmp_path / name)
        assert _files(tmp_path / name) == _files(small.saved)


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_too_few_images_are_a_data_error(small: Small, count: int) -> None:
    with pytest.raises(DataError, match=f"^{count} good training images") as caught:
        train(small.images[:count], small.digests[:count], SETTINGS)
    assert "train/good" in str(caught.value.mend)


def test_the_fewest_images_are_enough(small: Small) -> None:
    model = train(small.images[:FEWEST], small.digests[:FEWEST], SETTINGS)
    assert (model.facts["learned"], model.facts["calibration"]) == (FEWEST - 1, 1)
    assert math.isfinite(model.threshold)


def test_without_artificial_defects_the_distance_alone_decides(small: Small) -> None:
    settings = SETTINGS.model_copy(update={"damaged_images": 0})
    model = train(small.images, small.digests, settings)
    assert all(len(member.heads) == 0 for member, _ in model.each())
    assert all(len(member.view_scale) == 1 for member, _ in model.each())
    defects = model.score(sorted((small.data / "bolt" / "test" / "hole").iterdir()))
    assert all(scored.anomalous for scored in defects)


@pytest.mark.parametrize("calibrates", [False, True], ids=["learned", "calibrates"])
def test_a_truncated_image_is_named(small: Small, tmp_path: Path, calibrates: bool) -> None:
    folder = tmp_path / "good"
    shutil.copytree(small.images[0].parent, folder)
    images = sorted(folder.iterdir())
    split = calibration_split(small.digests, SETTINGS.calibration_share, SETTINGS.seed)
    damaged = images[split.index(calibrates)]
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(DataError, match="not a readable image") as caught:
        train(images, small.digests, SETTINGS)
    assert caught.value.where == str(damaged)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_a_config_error() -> None:
    assert pick_device("auto") == pick_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="no CUDA device") as caught:
        pick_device("cuda")
    assert caught.value.where == "PATCHAE_DEVICE"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_equal_inputs_give_equal_weights_on_cuda(small: Small, tmp_path: Path) -> None:
    files = []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        model = train(small.images, small.digests, SETTINGS, device="cuda")
        assert model.device.type == "cuda"
        model.save(tmp_path / str(global_seed))
        files.append(_files(tmp_path / str(global_seed)))
    assert files[0] == files[1]
    on_cpu = [scored.score for scored in small.model.score(small.images)]
    on_gpu = [scored.score for scored in model.score(small.images)]
    assert on_gpu == pytest.approx(on_cpu, rel=0.2)  # two trainings of one class
