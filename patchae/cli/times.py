"""Times as commands print them."""

from __future__ import annotations

from datetime import datetime


def local(time: str) -> str:
    """A time (ISO 8601) in the local zone, with its name."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
