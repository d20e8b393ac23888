"""Single objects of a DVC store: whether one is there, and whether it is what its name says.

An object is called by the md5 of its content; a listing has `.dir` behind it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from patchae.files import Progress, silent

State = Literal["whole", "damaged", "missing"]
NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
_READERS = 8


def existing(objects: Any, names: list[str]) -> set[str]:
    """Those of the objects that are there, whole or not."""
    # A local store's `oids_exist` removes what it finds damaged; a question must change nothing.
    local = objects.fs.protocol == "local"
    return set(objects.list_oids_exists(names) if local else objects.oids_exist(names))


def read(objects: Any, name: str) -> bytes | None:
    """One object; None if it is not there, or is not what its name says."""
    state, content = _read(objects, name)
    return content if state == "whole" else None


def states(
    objects: Any, names: Iterable[str], progress: Progress = silent, what: str = "reading objects"
) -> dict[str, State]:
    """In which state objects are, each read to its last byte.

    DVC itself trusts what it once made read-only.
    """
    wanted = list(names)
    found: dict[str, State] = {}
    with ThreadPoolExecutor(_READERS) as pool:
        # A reader keeps the state alone: what waits for its turn would be every content at once.
        for name, state in zip(
            wanted, pool.map(lambda one: _read(objects, one)[0], wanted), strict=True
        ):
            found[name] = state
            progress(what, len(found), len(wanted))
    return found


def _read(objects: Any, name: str) -> tuple[State, bytes]:
    try:
        with objects.fs.open(objects.oid_to_path(name), "rb") as file:
            content: bytes = file.read()
    except FileNotFoundError:
        return "missing", b""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return ("whole" if md5 == name.removesuffix(".dir") else "damaged"), content
