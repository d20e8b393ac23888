"""Moments on the command line: how they are written, and how they are shown."""

from __future__ import annotations

from datetime import datetime


def moment(text: str) -> datetime:
    """The moment that an option means: ISO 8601, in the local zone where it names none.

    Raises:
        UsageError: it is none.
    """
    from patchae.errors import UsageError

    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{text}' is not a time", mend="write for example 2026-03-03T14:00+01:00"
        ) from None


def local(time: str) -> str:
    """A moment (ISO 8601) on the clock of whoever reads it."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
