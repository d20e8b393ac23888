"""What a model card consists of, and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from patchae.report import text


class Code(str):
    """A digest, a name or a command, to be set like one."""

    __slots__ = ()


Row = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it: sentences, a table, a list, commands; in this order."""

    title: str
    sentences: tuple[str, ...] = ()
    columns: Row = ()
    rows: tuple[Row, ...] = ()
    items: tuple[str, ...] = ()
    commands: tuple[Row, ...] = ()
    """Each with what it answers."""


@dataclass(frozen=True)
class Card:
    """A whole model card."""

    title: str
    lead: str
    facts: tuple[Row, ...]
    """Label and value."""
    sections: tuple[Section, ...]


def images(count: int) -> str:
    """A number of images, in words."""
    return text.count(count, "image")


def moment(time: str) -> str:
    """A time of the record, to the minute."""
    return f"{time[:16].replace('T', ' ')} UTC"


def value_of(value: Any) -> str:
    """A value of settings or gates."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" for name, one in value.items()) or "none"
    return "none" if value is None else str(value)
