"""The last look for drift at a model, from where `patchae.drift` keeps it."""

from __future__ import annotations

from pathlib import Path

from patchae.drift import store
from patchae.project import Project
from patchae.report.drift_page import drift_page
from patchae.report.now import Looked


def last_look(project: Project, model: str, class_name: str) -> Looked | None:
    """The newest look at what the scoring service kept, failing that at a folder; or None."""
    drift = store.latest(project, model)
    if drift is None:
        return None
    has_page = drift_page(project, drift).is_file()
    return Looked(drift, page_name(class_name) if has_page else None)


def page_of(project: Project, looked: Looked) -> Path:
    """The page of a look, with the images that differ, where the look lies."""
    return drift_page(project, looked.drift)


def page_name(class_name: str) -> str:
    """What the page of the last look is called beside the pages of its line."""
    return f"drift-{class_name}.html"
