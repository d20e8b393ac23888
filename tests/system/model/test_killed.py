"""`kill -9` in a training, then the same training again: the weights of an undisturbed one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from patchae.files import digests_of
from patchae.model.samples import SHARD
from tests.support import write_class

TRAIN = """
import sys
from pathlib import Path
from patchae.config import Training
from patchae.files import sha256_file
from patchae.model.training import train

images = sorted(Path(sys.argv[1]).iterdir())
settings = Training(
    backbone="tf_efficientnet_lite0", image_size=64, epochs=2, damaged_images=24,
    memory_size=300, channels=16, calibration_share=0.1,
)
kept = Path(sys.argv[3])
train(images, [sha256_file(path) for path in images], settings, kept=kept).save(Path(sys.argv[2]))
"""


def _start(images: Path, saved: Path, kept: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", TRAIN, str(images), str(saved), str(kept)]
    return subprocess.Popen(command)


def test_a_killed_training_ends_in_the_weights_of_an_undisturbed_one(tmp_path: Path) -> None:
    images = write_class(tmp_path / "data", "bolt", train_good=3 * SHARD) / "train" / "good"
    assert _start(images, tmp_path / "whole", tmp_path / "kept").wait(300) == 0
    again = tmp_path / "kept-again"
    killed = _start(images, tmp_path / "second", again)
    until = time.monotonic() + 300
    while not list(again.glob("[0-9]*.safetensors")):
        assert killed.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(30) == -signal.SIGKILL
    assert not (tmp_path / "second").exists()
    found = sorted(again.glob("[0-9]*.safetensors"))
    assert 1 <= len(found) < 3, "killed in the middle"
    times = {path: path.stat().st_mtime_ns for path in found}
    assert _start(images, tmp_path / "second", again).wait(300) == 0
    assert {path: path.stat().st_mtime_ns for path in found} == times, "done once"
    assert digests_of(tmp_path / "second") == digests_of(tmp_path / "whole")
