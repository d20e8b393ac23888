"""What patchae wrote and found when these files were made; whatever changes it says so.

Records, rows and bundles that are out in the world are read by every later version, and images that
did not change give the results that they gave. Where a change is meant, raise the version that
stands in the format and make the files anew:

    python -m tests.golden
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LEDGER = FOLDER / "ledger.jsonl"
RECORD = FOLDER / "lineage.json"
BUNDLE = FOLDER / "bundle.zip"
WEIGHTS = FOLDER / "weights.json"
CHECKS = FOLDER / "checks.json"


def read(file: Path) -> Any:
    """Return what a file of JSON holds."""
    return json.loads(file.read_text())
