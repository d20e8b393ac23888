"""Secrets of the stack: made at the first start, one file each, readable by their owner alone.

None is ever an argument of a command: the list of processes is everybody's.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

ACCOUNTS = ("viewer", "trainer", "promoter")
"""Who uses the stack."""
NAMES = (
    "postgres",
    "postgres_prefect",
    "postgres_mlflow",
    "mlflow_admin",
    "mlflow_session",
    "prefect",
    "s3_mlflow",
    "s3_owner",
    *(f"{server}_{account}" for server in ("ledger", "mlflow", "s3") for account in ACCOUNTS),
)
_BYTES = 24


class Keys:
    """The secrets in a folder, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> str:
        return (self._folder / name).read_text().strip()

    def make(self) -> None:
        """Make those that are not there yet."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in NAMES:
            path = self._folder / name
            if path.exists():
                continue
            # Letters, digits, - and _ alone: fit for a URL and for a shell.
            new = path.with_name(f".{name}.new")
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(_BYTES))
            new.replace(path)


def private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
