"""The environment that make builds, with a Python that only notes what it is asked; its size."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import ROOT

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def script(path: Path, body: str) -> Path:
    """A program of the shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def install(folder: Path, python: Path) -> subprocess.CompletedProcess[str]:
    """`make install` of a copy of the project."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    command = ["make", "install", f"PYTHON={python}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@needs_make
@pytest.mark.parametrize("begun", [False, True])
def test_an_environment_that_was_interrupted_is_made_anew(tmp_path: Path, *, begun: bool) -> None:
    if begun:  # there is a Python already, and no pip
        script(tmp_path / ".venv" / "bin" / "python", "exit 1")
    noting = f'[ "$1" = -c ] && exec {sys.executable} "$@"\necho "$@" >> asked; exit 1'
    done = install(tmp_path, script(tmp_path / "python", noting))
    assert (tmp_path / "asked").read_text() == "-m venv --clear .venv\n"
    assert done.returncode != 0
    assert "python3-venv" in done.stdout + done.stderr
    assert "installing" not in done.stdout


@needs_make
def test_one_that_is_whole_stays(tmp_path: Path) -> None:
    inner = '[ "$3" = --version ] || { echo "$@" >> asked; exit 1; }'
    script(tmp_path / ".venv" / "bin" / "python", inner)
    outer = f'[ "$1" = -c ] && exec {sys.executable} "$@"\necho "made $@" >> asked'
    install(tmp_path, script(tmp_path / "python", outer))
    assert "-m pip install" in (tmp_path / "asked").read_text()
    assert "made" not in (tmp_path / "asked").read_text()


@needs_make
@pytest.mark.parametrize(
    ("version", "fits"), [("3, 10", False), ("3, 11", True), ("3, 14", True), ("3, 15", False)]
)
def test_a_python_that_does_not_fit_is_said(tmp_path: Path, version: str, *, fits: bool) -> None:
    asked = f"import sys; sys.version_info = ({version}, 9)"
    body = (
        f'[ "$1" = -c ] && exec {sys.executable} -c "{asked}; $(echo "$2" | sed s/^import.sys..//)"'
    )
    done = install(tmp_path, script(tmp_path / "python", f"{body}\nexit 1"))
    assert ("patchae needs Python 3.11 to 3.14" in done.stdout) == (not fits)


def test_every_text_tells_the_same_versions_and_the_same_size() -> None:
    texts = {name: (ROOT / name).read_text() for name in ("README.md", "docs/quickstart.md")}
    texts["Makefile"] = (ROOT / "Makefile").read_text()
    for name, text in texts.items():
        assert "Python 3.11 to 3.14" in text, name
        assert re.search(r"about\s+7\.5 GB", text), name
        assert not re.search(r"(?<![.\d])[567] GB", text), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.15"
