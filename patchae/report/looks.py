"""The last look for drift at a model, from where `patchae.drift` keeps it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from patchae.project import Project
from patchae.report.now import Looked


def last_look(project: Project, model: str) -> Looked | None:
    """The newest look; None when there was none."""
    if find_spec("patchae.drift.store") is None:
        return None
    drift = import_module("patchae.drift.store").latest(project, model)
    return Looked(drift, None) if drift else None
