"""A project of several users of this machine: of one group, without a home, or only reading."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import write_class, write_image

ROOT = Path(__file__).parents[3]
ANN, BOB, GROUP = 12_001, 12_002, 13_000
LINES = """\
lines:
  sample:
    classes: [bolt]
    training: {backbone: tf_efficientnet_lite0, image_size: 64, epochs: 1, damaged_images: 0,
               memory_size: 300, channels: 16}
    validation: {min_train_good: 5}
"""
NOT_SHARED = ("dvc-site-cache", "memo_store.toml", "scorer.py")
"""Each user's own; Prefect's, which does without; a copy that nobody writes to."""


def run_as(
    user: int, root: Path, *words: str, home: Path | None = None, umask: int = 0o002
) -> subprocess.CompletedProcess[str]:
    """A command of a user who has no name here, in a project.

    That user may read everything, since Python or this checkout may lie where others cannot go;
    and write what the modes of files and folders allow, which is what these tests are about.
    """
    words = ("-m", "patchae", *words) if words[0] != "-c" else words
    may_read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    as_user = [f"--reuid={user}", f"--regid={user}", f"--groups={GROUP}", *may_read]
    return subprocess.run(
        ["setpriv", *as_user, "--", sys.executable, *words],
        cwd=root,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            **({"HOME": str(home)} if home else {}),
        },
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.fixture(scope="module", autouse=True)
def _several_users() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run commands as other users")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not here to run commands as other users")
    tried = run_as(ANN, Path("/"), "-c", "import patchae.cli")
    if tried.returncode:
        pytest.skip(f"commands cannot run as another user here: {tried.stderr.strip()[-200:]}")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("homes")
    found = {}
    for user in (ANN, BOB):
        found[user] = folder / str(user)
        found[user].mkdir()
        os.chown(found[user], user, user)
    return found


def _project(root: Path) -> Path:
    """A project in a folder of the group, which Ann made."""
    root.mkdir()
    (root / "lines.yaml").write_text(LINES)
    write_class(root / "data", "bolt", train_good=12)
    for path in (root, *root.rglob("*")):
        os.chown(path, ANN, GROUP)
        path.chmod(0o2775 if path.is_dir() else 0o664)
    return root


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, homes: dict[int, Path]) -> Iterator[Path]:
    """A project in which Ann has trained a class."""
    root = _project(tmp_path_factory.mktemp("shared") / "plant")
    done = run_as(ANN, root, "retrain", "sample", home=homes[ANN])
    assert done.returncode == 0, done.stderr
    return root


def test_what_one_makes_is_the_groups(plant: Path) -> None:
    for path in plant.rglob("*"):
        found = path.lstat()
        assert found.st_gid == GROUP, path
        if any(name in path.as_posix() for name in NOT_SHARED):
            continue
        if path.is_dir():
            assert found.st_mode & 0o2070 == 0o2070, path
        elif "/files/md5/" in path.as_posix():  # DVC's objects: nobody changes them
            assert found.st_mode & stat.S_IRGRP, path
        else:
            assert found.st_mode & 0o060 == 0o060, path


def test_the_other_goes_on_and_so_does_the_first(plant: Path, homes: dict[int, Path]) -> None:
    new = plant / "data" / "bolt" / "train" / "good" / "900.png"
    write_image(new, 999_999)
    os.chown(new, BOB, GROUP)
    for user, *words in (
        (BOB, "snapshot"),
        (BOB, "promote", "sample.bolt/1", "--override", "--reason", "Bob looked at it"),
        (BOB, "report", "sample"),
        (ANN, "snapshot"),
        (ANN, "trace", "data/bolt/test/hole/000.png"),
        (ANN, "tidy", "--yes"),
    ):
        done = run_as(user, plant, *words, home=homes[user])
        assert done.returncode == 0, (words, done.stdout, done.stderr)


@pytest.fixture
def kept(plant: Path) -> Iterator[Path]:
    """The project while nobody may write to it."""
    modes = {path: path.stat().st_mode for path in (plant, *plant.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    yield plant
    for path, mode in modes.items():
        path.chmod(mode)


def test_who_may_only_read_reads_and_is_told_what_cannot_be_written(
    kept: Path, homes: dict[int, Path]
) -> None:
    for words in (
        ("status",),
        ("history", "sample.bolt"),
        ("ledger", "verify"),
        ("versions",),
        ("audit", "sample.bolt/1"),
        ("score", "sample.bolt/1", "data/bolt/test/good/000.png"),
    ):
        done = run_as(BOB, kept, *words, home=homes[BOB])
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    done = run_as(BOB, kept, "doctor", "--json", home=homes[BOB])
    checks = {one["check"]: one for one in json.loads(done.stdout.splitlines()[-1])["checks"]}
    assert "may read there, and not write" in checks["disk"]["detail"]
    assert {one["state"] for one in checks.values()} <= {"ok", "warn"}
    for words in (("snapshot",), ("retrain", "sample"), ("report", "sample")):
        done = run_as(BOB, kept, *words, home=homes[BOB])
        assert done.returncode == 3, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert "to mend: use its owner's account, or let the group write" in done.stderr


@pytest.mark.parametrize("home", [None, Path("/nonexistent")], ids=["unset", "not there"])
def test_a_user_without_a_home_or_a_name_needs_neither(tmp_path: Path, home: Path | None) -> None:
    root = _project(tmp_path / "plant")
    for words in (("snapshot",), ("doctor",), ("validate", "sample")):
        done = run_as(ANN, root, *words, home=home)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
