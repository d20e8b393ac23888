"""What MLflow holds, fetched once for one piece of work.

A server is asked for a folder each time that somebody wants it, and may give another answer each
time. Whoever checks files and then uses them needs the very files that were checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from patchae.registry.tracking import Tracking


class Fetched(Tracking):
    """An MLflow for the length of a `with`: each folder is fetched once, and gone at the end.

    A model is a copy even where MLflow's own files lie on this machine, so that nobody changes it
    between a check and its use.
    """

    def __init__(self, tracking: Tracking) -> None:
        super().__init__(tracking.uri, tracking.client, tracking._artifacts)
        self._held: dict[tuple[tuple[str, str], ...], Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._downloads.cleanup()

    def _folder(self, **what: str) -> Path:
        key = tuple(sorted(what.items()))
        if key not in self._held:  # one that could not be fetched is tried again
            copy = {"dst_path": self._new_folder()} if "artifact_uri" in what else {}
            self._held[key] = super()._folder(**what, **copy)
        return self._held[key]
