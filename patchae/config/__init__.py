"""The product lines as frozen, typed models; `lines_file` reads them from `lines.yaml`.

Every value in them is usable: a wrong one cannot be constructed. Nothing outside is looked at:
whether a class has images is the data set's business.
"""

from __future__ import annotations

from patchae.config.base import Name, joined
from patchae.config.gates import Gates
from patchae.config.lines import ClassSettings, Line, Lines
from patchae.config.training import PACKAGED_BACKBONES, PRESETS, Training
from patchae.config.upkeep import DriftPolicy, Retention, Schedule
from patchae.config.validation import Validation

__all__ = [
    "PACKAGED_BACKBONES",
    "PRESETS",
    "ClassSettings",
    "DriftPolicy",
    "Gates",
    "Line",
    "Lines",
    "Name",
    "Retention",
    "Schedule",
    "Training",
    "Validation",
    "joined",
]
