"""What the index keeps, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from patchae.types import DataVersion


class Place(NamedTuple):
    """One content under one path of data/; sha256 is None where only DVC was asked."""

    path: str
    md5: str
    sha256: str | None = None


class Image(NamedTuple):
    """An image that the index knows; sha256 is None while no model used it."""

    id: int
    md5: str
    sha256: str | None


class Run(NamedTuple):
    """From the version with one number to that with another, both included; None: it goes on."""

    first: int
    last: int | None

    def holds(self, number: int) -> bool:
        """Whether a number is in it."""
        return self.first <= number and (self.last is None or number <= self.last)


@dataclass(frozen=True)
class Data:
    """A data version."""

    version: DataVersion
    number: int | None
    """In the order in which they were read; None where it cannot be read."""
    unread: str | None
    """Why."""


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model."""

    seq: int
    """The row of the ledger that registered it."""
    model: str
    version: str
    registered: str
    data: DataVersion | None
    """The data version that it was trained on."""
    number: int | None
    """Among those of its model, in the order in which they were read; None: it cannot be read."""
    unread: str | None
    """Why."""
