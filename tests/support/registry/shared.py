"""Aliases that processes share: a JSON file, changed under a lock as MLflow's server would."""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock

from patchae.files import write_text


class SharedAliases:
    """The aliases of models in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(f"{path}.lock")

    def get(self, model: str) -> dict[str, str]:
        with self._lock:
            return dict(self._all().get(model, {}))

    def has(self, model: str, version: str, run: str | None = None) -> bool:
        """Nobody deletes one."""
        return True

    def check_may_move(self, model: str) -> None:
        """Everybody may."""

    def set(self, model: str, alias: str, version: str) -> None:
        with self._lock:
            known = self._all()
            known.setdefault(model, {})[alias] = version
            write_text(self._path, json.dumps(known))

    def delete(self, model: str, alias: str) -> None:
        with self._lock:
            known = self._all()
            del known[model][alias]
            write_text(self._path, json.dumps(known))

    def _all(self) -> dict[str, dict[str, str]]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}
