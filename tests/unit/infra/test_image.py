"""What can be known of the worker image without a container engine."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from tests.support import ROOT


def copied() -> list[str]:
    text = (ROOT / "infra" / "Dockerfile").read_text()
    lines = re.findall(r"^COPY (.+)$", text, flags=re.MULTILINE)
    return [name for line in lines for name in line.split()[:-1]]


def test_everything_the_image_copies_exists_and_reaches_the_engine() -> None:
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for name in copied():
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, pattern) for pattern in kept), name


def test_files_that_may_hold_secrets_reach_neither_git_nor_the_engine() -> None:
    git, engine = ((ROOT / f".{who}ignore").read_text().splitlines() for who in ("git", "docker"))
    kept = [line[1:] for line in engine if line.startswith("!")]
    assert engine[0] == "*"
    for name in ("infra/stack.env", "infra/worker.env"):
        assert f"/{name}" in git
        assert not any(Path(name).is_relative_to(one) for one in kept), name


def test_the_image_holds_every_package_of_the_wheel() -> None:
    assert {"patchae", "flows", "requirements.lock", "pyproject.toml"} <= set(copied())


def test_the_lock_pins_versions_and_names_no_address() -> None:
    pins = (ROOT / "requirements.lock").read_text().splitlines()
    assert len(pins) > 100
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==[^ ;]+( ;.*)?", pin), pin
