"""Make the golden files anew: `python -m tests.golden`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from patchae.files import write_json, write_text
from patchae.registry.export import to_lines
from tests.golden import BUNDLE, CHECKS, LEDGER, RECORD, WEIGHTS
from tests.golden.results import checks, weights
from tests.support.lineage.bundles import make
from tests.support.trained import trained


def main() -> None:
    """Write every file."""
    os.environ["PATCHAE_ACTOR"] = "tester"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make(folder / "made")
        write_text(LEDGER, to_lines(*made.built.ledger.signed_rows()))
        write_text(RECORD, (made.built.artifacts / "lineage.json").read_text())
        made.write(BUNDLE, images=False)
        write_json(WEIGHTS, weights(trained(folder / "trained").model))
        write_json(CHECKS, checks(folder / "checked"))
    print(f"wrote {', '.join(f.name for f in (LEDGER, RECORD, BUNDLE, WEIGHTS, CHECKS))}")


if __name__ == "__main__":
    main()
