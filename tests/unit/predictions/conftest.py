"""A project, and its log of decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from patchae.predictions.log import PredictionLog
from patchae.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def book(project: Project) -> Iterator[PredictionLog]:
    made = PredictionLog(project.predictions)
    yield made
    made.close()
