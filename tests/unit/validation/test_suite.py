"""What names the checks of a class: their limits, and the source that measures and judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchae.config import Validation
from patchae.dataset.validation import suite
from patchae.files import sha256_file


@pytest.mark.parametrize("name", ["facts.py", "looks.py", "picture.py"])
def test_another_measure_is_another_suite(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def edited(path: Path) -> str:
        return "0" * 64 if path.name == name else sha256_file(path)

    before = suite.suite_digest(Validation())
    monkeypatch.setattr(suite, "sha256_file", edited)
    assert suite.suite_digest(Validation()) != before
