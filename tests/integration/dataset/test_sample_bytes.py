"""The rendered sample is the same on every machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from patchae.dataset.sample import render

# Over every path and every byte of all four classes. It changes only when the pictures are meant
# to change; data versions and trained models of earlier samples then no longer compare.
DIGEST = "60747b2980b957651e8476b802d5fbdf8c2061491a92c74878643739f2d7cf80"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four classes, rendered once; tests only read it."""
    folder = tmp_path_factory.mktemp("sample")
    render(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_byte_is_the_one_that_was_rendered_when_this_test_was_written(sample: Path) -> None:
    digest = hashlib.sha256()
    for path, content in sorted(contents(sample).items()):
        digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
    assert digest.hexdigest() == DIGEST
