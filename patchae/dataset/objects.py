"""Single objects of a DVC store: whether one is there, and whether it is what its name says.

An object is called by the md5 of its content; a listing has `.dir` behind it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, Literal

from patchae.files import Progress, sha256_bytes, silent

State = Literal["whole", "damaged", "missing"]
NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
NOTHING_KNOWN: Mapping[str, str] = MappingProxyType({})
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
    objects: Any,
    names: Iterable[str],
    progress: Progress = silent,
    what: str = "reading objects",
    sha256: Mapping[str, str] = NOTHING_KNOWN,
) -> dict[str, State]:
    """In which state objects are, each read to its last byte.

    DVC itself trusts what it once made read-only. An object whose `sha256` is known is only whole
    when it has that one, too: two contents of one md5 are made within seconds.
    """
    wanted = list(names)
    found: dict[str, State] = {}
    with ThreadPoolExecutor(_READERS) as pool:
        # A reader keeps the state alone: what waits for its turn would be every content at once.
        for name, state in zip(
            wanted, pool.map(lambda one: _state(objects, one, sha256.get(one)), wanted), strict=True
        ):
            found[name] = state
            progress(what, len(found), len(wanted))
    return found


def _state(objects: Any, name: str, sha256: str | None) -> State:
    state, content = _read(objects, name)
    if state == "whole" and sha256 is not None and sha256_bytes(content) != sha256:
        return "damaged"
    return state


def _read(objects: Any, name: str) -> tuple[State, bytes]:
    try:
        with objects.fs.open(objects.oid_to_path(name), "rb") as file:
            content: bytes = file.read()
    except FileNotFoundError:
        return "missing", b""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return ("whole" if md5 == name.removesuffix(".dir") else "damaged"), content
