"""The empty database of a Prefect server, which takes it ten seconds to make, made once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from flows.server import DATABASE

_UPGRADE = ("-m", "prefect", "server", "database", "upgrade", "--yes")


def give_database(home: Path) -> Path:
    """Give a home of Prefect an empty database of this version; returns the home."""
    kept = Path(tempfile.gettempdir()) / f"patchae-tests-{os.getuid()}" / version("prefect")
    kept.mkdir(parents=True, exist_ok=True)
    with FileLock(kept / "lock"):
        if not (kept / DATABASE).exists():
            with tempfile.TemporaryDirectory(dir=kept) as folder:
                subprocess.run(
                    [sys.executable, *_UPGRADE],
                    env={**os.environ, "PREFECT_HOME": folder},
                    capture_output=True,
                    check=True,
                )
                (Path(folder) / DATABASE).replace(kept / DATABASE)
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept / DATABASE, home / DATABASE)
    return home
