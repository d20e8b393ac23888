"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from infra.stack.postgres import binaries
from patchae.project import Project
from tests.support import FEW_EXAMPLES, FUZZ, PATIENCE, clean, git_init
from tests.support.postgres import Server, serving

# As patchae itself has it, and before anything imports Prefect, which reads its settings once.
os.environ[PATIENCE] = "120"
# Tests run beside each other on all processors: threads of each would only wait for one another.
os.environ["OMP_NUM_THREADS"] = "1"

# The same few examples at every run, so that a change fails on what it changes; `make fuzz` looks
# for new ones. How long one takes says nothing: other tests run beside it.
_ANY_TIME = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", _ANY_TIME, derandomize=True, max_examples=FEW_EXAMPLES)
settings.register_profile("fuzz", _ANY_TIME, derandomize=False)
settings.load_profile("fuzz" if FUZZ else "steady")
# It also draws from the constants of whatever modules are imported, in this worker, by now.
providers._get_local_constants = lambda: providers._local_constants

LINES = """\
lines:
  sample:
    classes: [bolt]
    gates: {min_image_auroc: 0.6}
"""

TIERS = ("unit", "integration", "system")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder that it lies in: its tier."""
    for item in items:
        tier = item.path.relative_to(Path(__file__).parent).parts[0]
        assert tier in TIERS, f"{item.path} lies in no tier: move it below {', '.join(TIERS)}"
        item.add_marker(tier)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's machine reaches a test."""
    clean(monkeypatch)


@pytest.fixture
def no_dvc_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what the developer or the machine has set for DVC."""
    for level in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"DVC_{level}_CONFIG_DIR", str(tmp_path / "dvc-config" / level))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project in a Git repository, which is also the current folder."""
    root = tmp_path / "plant"
    root.mkdir()
    (root / "lines.yaml").write_text(LINES)
    (root / ".gitignore").write_text("/data\n/.patchae\n")
    git_init(root)
    monkeypatch.chdir(root)
    return Project(root)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL server."""
    folder = binaries()
    if folder is None:
        pytest.skip("no PostgreSQL on this machine: initdb and postgres were not found")
    with serving(folder) as server:
        yield server
