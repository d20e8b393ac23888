"""One decision of a model on one image: what is logged of it, in which columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Origin = Literal["service", "batch"]


def as_text(name: str) -> str:
    """A name as UTF-8 can hold it; what is no text stands as `\\udcff` in it.

    The name of a file on disk may have bytes that are no text, and JSON may name half a character;
    neither Parquet nor an answer takes them. Law: `as_text(as_text(x)) == as_text(x)`.
    """
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Prediction:
    """One decision of one model version on one image."""

    time: datetime
    """When it was answered: an aware moment in UTC."""
    image: str
    """SHA-256 of the image file's bytes as they came, 64 hexadecimal digits."""
    name: str
    """What the asker called the image: a file name or a path; empty where it has none."""
    model: str
    """Registered name, such as `sample.washer`."""
    version: str
    """Registered version, such as `3`."""
    score: float
    """Anomaly score, above 0."""
    threshold: float
    """Scores above it are alarms."""
    anomalous: bool
    """The decision."""
    latency_ms: float
    """From the image's arrival to the answer, in milliseconds; for a batch, its share."""
    origin: Origin
    """Who asked: the scoring service, or a batch."""

    def __post_init__(self) -> None:
        # One name that cannot be stored would keep every other decision of its journal waiting.
        object.__setattr__(self, "name", as_text(self.name))
