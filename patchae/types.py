"""Names for the values that tie one part of patchae to the next. All are plain strings."""

from __future__ import annotations

from typing import NewType

DataVersion = NewType("DataVersion", str)
"""The md5 that `data.dvc` holds: 32 hexadecimal digits and `.dir`."""

ClassDigest = NewType("ClassDigest", str)
"""sha256 over the sorted manifest rows of one class."""

TrainingKey = NewType("TrainingKey", str)
"""sha256 over everything that determines a trained model: same key, same model."""

Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits."""
