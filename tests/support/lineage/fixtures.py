"""One intact version for all tests, and a copy of it to tamper with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lineage.builder import build
from tests.support.lineage.built import Built
from tests.support.lineage.bundles import Made, make


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """One intact version, built once; nobody leaves it changed."""
    return build(tmp_path_factory.mktemp("honest"))


@pytest.fixture
def built(honest: Built, tmp_path: Path) -> Built:
    """A copy to tamper with."""
    return honest.copy(tmp_path / "version")


@pytest.fixture(scope="session")
def proven_once(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An intact version whose ledger is signed and noted; nobody leaves it changed."""
    return build(tmp_path_factory.mktemp("proven") / "version", proven=True)


@pytest.fixture
def proven(proven_once: Built, tmp_path: Path) -> Built:
    """A copy of it to tamper with."""
    return proven_once.copy(tmp_path / "proven")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two versions in a signed ledger, built once; nobody leaves them changed."""
    return make(tmp_path_factory.mktemp("made"))
