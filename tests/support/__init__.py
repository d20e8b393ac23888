"""Small images and projects for the tests, made on the spot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
"""Of the repository."""
SIDE = 64
FUZZ = "FUZZ" in os.environ
"""Whether properties are tried on many new examples, as `make fuzz` does."""
PATIENCE = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
"""What Prefect's own server may take to start; tests have it as patchae sets it."""
FEW_EXAMPLES = 20
"""So many examples are tried of a property otherwise."""


def clean(patch: pytest.MonkeyPatch) -> None:
    """Let no setting of the developer's machine reach a test, or a fixture that lives longer."""
    for name in os.environ.keys() - {PATIENCE}:
        if name.startswith(("PATCHAE_", "MLFLOW_", "PREFECT_", "AWS_", "OPENLINEAGE")):
            patch.delenv(name)
    patch.setenv("PATCHAE_ACTOR", "tester")


def examples(many: int) -> int:
    """How many examples to try of a property that wants `many` of them."""
    return many if FUZZ else min(many, FEW_EXAMPLES)


def git_init(root: Path) -> None:
    """Make a folder a Git repository with everything in it committed."""
    for command in (
        ["git", "init", "-q", "-b", "main"],
        ["git", "config", "user.name", "tester"],
        ["git", "config", "user.email", "tester@example.org"],
        ["git", "add", "."],
        ["git", "commit", "-q", "-m", "start"],
    ):
        subprocess.run(command, cwd=root, check=True)


def write_image(path: Path, seed: int, *, side: int = SIDE, defect: bool = False) -> None:
    """A striped RGB image with noise drawn from `seed`; a defect is a dark square."""
    random = np.random.default_rng(seed)
    stripes = np.indices((side, side)).sum(0) // 8 % 2 * 60 + 100
    pixels = stripes[..., None] + random.integers(-12, 13, (side, side, 3))
    if defect:
        pixels[20:36, 20:36] = 20 + random.integers(0, 20, (16, 16, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def write_class(
    data: Path,
    name: str,
    *,
    train_good: int = 24,
    test_good: int = 6,
    test_defect: int = 6,
    masks: bool = True,
    seed: int = 0,
) -> Path:
    """A class in MVTec AD layout under `data/`; every image differs. Returns its folder."""
    folder = data / name
    counter = seed * 10_000
    for split, defect, count in (
        ("train", "good", train_good),
        ("test", "good", test_good),
        ("test", "hole", test_defect),
    ):
        for index in range(count):
            counter += 1
            write_image(
                folder / split / defect / f"{index:03d}.png", counter, defect=defect != "good"
            )
    if masks:
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[20:36, 20:36] = 255
        for index in range(test_defect):
            path = folder / "ground_truth" / "hole" / f"{index:03d}_mask.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
    return folder


def patchae(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    """Run a command as the console script does, in this process: exit code, output, errors."""
    from patchae.cli import main

    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["patchae", *words])
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    out, err = capsys.readouterr()
    return code, out, err


DYING = """
import os, signal, sys

def die_at(left, touches, work):
    def touched(event, arguments):
        nonlocal left
        if event in touches:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(touched)
    work()
    os._exit(0)
"""
"""Source for a process of its own: does some work, and kills itself when it touches the disk again
after `left` touches."""
