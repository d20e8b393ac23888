"""What a look for drift found, as one page: the numbers, and the images that show it.

One file beside the images of the look, that works without a network or a script.
"""

from __future__ import annotations

from pathlib import Path

from patchae.drift import store
from patchae.drift.finding import Drift
from patchae.files import write_text
from patchae.project import Project
from patchae.report import templating, text
from patchae.report.thumbnails import thumbnail

_SIDE = 320
WORDS = {"promoted": "No drift", "held": "Seen once", "rejected": "Drift"}
MEANS = {
    "brightness": "mean light, 0 to 1",
    "contrast": "spread of light, 0 to 0.5",
    "sharpness": "how much of the detail is fine",
    "red": "red beside green",
    "blue": "blue beside green",
    "shift_x": "place from left to right, % of the side",
    "shift_y": "place from top to bottom, % of the side",
    "embedding": "content, as the model sees it",
    "score": "anomaly score",
    "alarms": "share of alarms, beside the most that calibration allows for",
}
"""What each statistic says."""


def drift_page(project: Project, drift: Drift) -> Path:
    """Where the page of a look lies."""
    return store.folder_of(project, drift) / "drift.html"


def write_drift_page(project: Project, drift: Drift) -> Path:
    """Write the page of a look in one step; returns its path."""
    folder = store.folder_of(project, drift)
    page = (
        templating.environment(WORDS=WORDS, count=text.count, number=text.number)
        .get_template("drift.html.j2")
        .render(
            drift=drift,
            state=state_of(drift),
            means=MEANS,
            worst=[thumbnail(folder / name, _SIDE, 85, drift.white) for name in drift.worst],
            ordinary=[thumbnail(folder / name, _SIDE, 85, drift.white) for name in drift.ordinary],
        )
    )
    path = drift_page(project, drift)
    write_text(path, templating.whole(page))
    return path


def state_of(drift: Drift) -> str:
    """The state of a look, as pages colour it."""
    return "rejected" if drift.confirmed else "held" if drift.drifted else "promoted"
