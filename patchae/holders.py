"""Who holds a lock or reads something: its process, command and time, for whoever is refused."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

_MOST = 120


def signature() -> dict[str, str | int]:
    """Describe this process: pid, host, command, and since when, which is now."""
    program, *words = sys.argv or ["python"]
    command = shlex.join([Path(program).name or "python", *words])
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": command if len(command) <= _MOST else f"{command[:_MOST]}...",
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def sentence(text: str) -> str:
    """Return the words for a signature in JSON; for what is none, that nobody signed."""
    try:
        read = json.loads(text)
        since = datetime.fromisoformat(read["since"]).astimezone()
        host = "" if read["host"] == socket.gethostname() else f" on {read['host']}"
        return f"process {read['pid']}{host} ({read['command']}) since {since:%Y-%m-%d %H:%M:%S}"
    except (ValueError, TypeError, KeyError):
        return "another process"
